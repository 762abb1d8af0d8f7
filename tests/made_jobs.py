"""Networks that are to be trained in other processes, and what they learn: a few images, and more beside them."""

import torch

from db3kd.scaling import Job
from db3kd.training import Material, Objective, Unasked, Views

SHAPE = (1, 16, 16)
PIXELS = torch.randint(0, 256, (60, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
MATERIAL = Material(
    PIXELS[:20],
    Objective(labels=torch.arange(20) % 3, offsets=torch.tensor([0.1, 0.0, -0.1]), smoothing=0.05),
    32,
    Views({"shift": 0.1}, {"noise": 0.1}),
    Unasked(PIXELS, torch.arange(20, 60), torch.full((3,), 1 / 3), 20, 2),
)
JOBS = (Job("lenet5-fifth", 3, 5), Job("lenet5-fifth", 3, 6))
