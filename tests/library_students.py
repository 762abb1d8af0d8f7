"""Builds, trains, keeps and exports networks of timm and torchvision, and prints what came of it: a program.

It runs in an environment of its own, since torchvision of the registry does not import beside the CPU build of torch:
its compiled operators need CUDA. Two of them, which find overlapping boxes, are asked for at import; they are declared
here, without which nothing else of it changes, and no classifier calls them.
"""

import json
import sys

import torch

if torch.version.cuda is None:
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import onnxruntime

from db3kd.errors import Db3kdError
from db3kd.models import build, parameter_count, weights
from db3kd.models.onnx_file import to_onnx
from db3kd.training import Material, Objective, Recipe, fit

Shape = tuple[int, int, int]


def built(architecture: str, shape: Shape) -> dict[str, object]:
    """What a network is, or why there is none."""
    try:
        first, again = (build(architecture, shape, 5, seed=1) for _ in range(2))
    except Db3kdError as error:
        return {"error": type(error).__name__, "text": str(error)}
    # Before it is called: batch norm then remembers what it saw.
    pairs = zip(first.state_dict().values(), again.state_dict().values(), strict=True)
    seeded = all(torch.equal(one, two) for one, two in pairs)
    raw = weights.to_bytes(first, weights.describe(architecture, shape, 5, module=first))
    images, loaded = torch.rand(2, *shape), weights.from_bytes(raw, "here")[0]
    training = first(images)
    with torch.no_grad():
        kept = torch.equal(loaded(images), weights.from_bytes(raw, "here")[0](images))
    return {
        "seeded": seeded,
        "kept": kept,
        "training": list(training.shape),
        "parameters": parameter_count(first),
    }


def learned(architecture: str) -> dict[str, object]:
    """How a network learns to tell images that are bright on the left from others, and leaves as ONNX."""
    shape, labels = (1, 32, 32), torch.arange(64) % 2
    pixels = torch.randint(0, 128, (64, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    pixels[labels == 0, :, :, :16] += 100
    pixels[labels == 1, :, :, 16:] += 100
    recipe = Recipe("adamw", 1e-2, epochs=20, batch_size=16, schedule="cosine", warmup=0.1)
    network = fit(build(architecture, shape, 2), Material(pixels, Objective(labels=labels)), recipe)
    with torch.no_grad():
        expected = network(pixels / 255)
    session = onnxruntime.InferenceSession(to_onnx(network, shape, {}, pixels="uint8"))
    (logits,) = session.run(["logits"], {"images": pixels.numpy()})
    right, same = (expected.argmax(1) == labels).sum(), (torch.from_numpy(logits).argmax(1) == expected.argmax(1)).sum()
    return {"right": int(right), "same": int(same)}


def main() -> None:
    """Print figures as JSON: `built` by architecture and shape, `learned` by architecture."""
    asked = json.loads(sys.argv[1])
    found = {
        "built": {f"{name} {shape}": built(name, tuple(shape)) for name, shape in asked["built"]},
        "learned": {name: learned(name) for name in asked["learned"]},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
