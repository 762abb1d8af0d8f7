"""Makes the folders and the teacher of this record: python photos.py EMOJI.npz OUT.

EMOJI.npz is what `python -m benchmarks.emoji` writes. OUT/photos holds its pool as a flat folder of mixed sizes, kinds
and modes, with one broken file in a hundred; OUT/labelled holds what is held out, a folder for each group. OUT/teacher
is a ResNet of transformers that learned the pool's true groups, with its image processor.
"""

import io
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional
from transformers import ResNetConfig, ResNetForImageClassification, ViTImageProcessorPil, set_seed

SIDE, EPOCHS, BATCH = 32, 40, 64


def save(picture: Image.Image, path: Path, dice: np.random.Generator) -> None:
    """Save a picture in one of eight ways; a tenth of them are sheared off as they are written."""
    side = int(dice.integers(40, 161))
    picture = picture.resize((side, side + int(dice.integers(0, 17))), Image.Resampling.BICUBIC)
    way = int(dice.integers(8))
    if way == 0:
        picture.save(path.with_suffix(".png"))
    elif way == 1:
        alpha = Image.fromarray((np.asarray(picture).min(axis=2) < 250).astype(np.uint8) * 255)
        picture.putalpha(alpha)
        picture.save(path.with_suffix(".png"))
    elif way == 2:
        picture.convert("P").save(path.with_suffix(".png"))
    elif way == 3:
        picture.convert("L").save(path.with_suffix(".png"))
    elif way == 4:
        picture.convert("CMYK").save(path.with_suffix(".jpg"), quality=92)
    elif way == 5:
        exif = Image.Exif()
        exif[0x0112] = 6
        picture.transpose(Image.Transpose.ROTATE_90).save(path.with_suffix(".jpg"), quality=92, exif=exif)
    elif way == 6:
        picture.save(path.with_suffix(".webp"), quality=92)
    else:
        picture.save(path.with_suffix(".jpg"), quality=92)


def main(emoji: str, out: str) -> None:
    """Make all of it."""
    kept, root, dice = np.load(emoji), Path(out), np.random.default_rng(0)
    names = [str(name) for name in kept["class_names"]]
    (root / "photos").mkdir(parents=True)
    for number, pixels in enumerate(kept["images"]):
        save(Image.fromarray(pixels), root / "photos" / f"{number:05}", dice)
    whole = io.BytesIO()
    Image.fromarray(kept["images"][0]).resize((160, 160)).save(whole, "jpeg")
    for number in range(len(kept["images"]) // 99):
        content = b"" if number % 2 else whole.getvalue()[: 200 + 40 * number]
        (root / "photos" / f"broken-{number:03}.jpg").write_bytes(content)
    for number, (pixels, label) in enumerate(zip(kept["images_test"], kept["labels_test"], strict=True)):
        folder = root / "labelled" / names[label].replace(" & ", "-and-").replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        save(Image.fromarray(pixels), folder / f"{number:05}", dice)
    train(kept, names, root / "teacher")


def train(kept: np.lib.npyio.NpzFile, names: list[str], folder: Path) -> None:
    """Train the teacher on true groups, and save it with its processor."""
    set_seed(0)
    labels = dict(enumerate(names))
    config = ResNetConfig(
        embedding_size=32,
        hidden_sizes=[32, 64, 128, 256],
        depths=[2, 2, 2, 2],
        layer_type="basic",
        id2label=labels,
        label2id={name: number for number, name in labels.items()},
    )
    model = ResNetForImageClassification(config)
    images = torch.from_numpy(kept["images"]).permute(0, 3, 1, 2).float() / 255
    images = functional.interpolate(images, size=(SIDE, SIDE), mode="bilinear", antialias=True) * 2 - 1
    targets = torch.from_numpy(kept["labels"]).long()
    steps = EPOCHS * (len(images) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(images))[: len(images) // BATCH * BATCH].split(BATCH):
            batch = images[rows]
            mirrored = torch.rand(len(rows), 1, 1, 1) < 0.5
            batch = torch.where(mirrored, batch.flip(3), batch)
            batch = batch.roll(tuple(torch.randint(-3, 4, (2,)).tolist()), (2, 3))
            loss = functional.cross_entropy(model(batch).logits, targets[rows], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.save_pretrained(folder)
    half = [0.5, 0.5, 0.5]
    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}, image_mean=half, image_std=half).save_pretrained(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
