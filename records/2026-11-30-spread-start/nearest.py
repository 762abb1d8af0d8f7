"""How much some images say of a pool: each other image gets the true class of the nearest one. No query, no network.

usage: python nearest.py OUT.json DIGITS8.npz EMOJI.npz
"""

import json
import sys
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from torch.nn import functional

from db3kd.acquisition.duplicates import draw_new
from db3kd.acquisition.spread import draw_spread
from db3kd.answers import no_answers
from db3kd.data import Dataset, load
from db3kd.data.dataset import from_arrays
from db3kd.data.thumbnails import nearest
from db3kd.pools import ImagePool

out, digits, emoji = sys.argv[1:]
with np.load(emoji) as file:
    pictures = torch.from_numpy(file["images"]).permute(0, 3, 1, 2).float()
    small = functional.avg_pool2d(pictures, 2).round().to(torch.uint8)
    emoji32 = from_arrays(small, torch.from_numpy(file["labels"]))
clothes = load("fashion-mnist")
some = torch.randperm(len(clothes), generator=torch.Generator().manual_seed(0))[:8000]
pools: dict[str, Dataset] = {
    "mnist-5k": load("mnist-5k"),
    "digits of 8x8": load(f"npz:{digits}"),
    "8,000 of fashion-mnist": clothes.subset(some),
    "emoji of 32x32": emoji32,
}
rows = []
for name, images in pools.items():
    none = no_answers(images.image_shape, 1 + int(images.labels.max()))
    whole = images.images().flatten(1)
    for count in (16, 50, 100, 300):
        for way, draw in (("by lot", draw_new), ("spread", draw_spread)):
            shares, classes = [], []
            for seed in range(5):
                drawn = draw(ImagePool(images), none, count, torch.Generator().manual_seed(seed))
                known = torch.tensor([images.row_of(one) for one in drawn.ids])
                near, _ = nearest(whole, whole[known])
                rest = torch.ones(len(images), dtype=torch.bool)
                rest[known] = False
                right = images.labels[known][near] == images.labels
                shares.append(float(right[rest].float().mean()))
                classes.append(len(images.labels[known].unique()))
            rows.append({"pool": name, "images": count, "way": way, "right": mean(shares), "classes": mean(classes)})
Path(out).write_text(json.dumps(rows, indent=2) + "\n")
