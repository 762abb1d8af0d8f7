"""In which order images are learned from, by seed and epoch: an interrupted training goes on as it would have."""

import hashlib

import torch

from db3kd.tensors import Int, Tensor


def derive(seed: int, epoch: int, purpose: str) -> int:
    """Give the seed of one use in one epoch."""
    # A hash, not a sum: epoch 1 of seed 0 must not be epoch 0 of seed 1, nor the order follow the dropout. Torch's
    # generator on the CPU looks at 32 bits.
    return int.from_bytes(hashlib.sha256(f"{purpose}/{seed}/{epoch}".encode()).digest()[:4], "big")


def generator_of(seed: int, epoch: int, purpose: str, device: torch.device) -> torch.Generator:
    """Give the generator of one use in one epoch."""
    return torch.Generator(device).manual_seed(derive(seed, epoch, purpose))


def order_of(count: int, taken: int, seed: int, epoch: int, *, purpose: str = "order") -> Int[Tensor, " _"]:
    """Go on where the epoch before stopped, in a new order whenever all images had their turn."""
    first, last = epoch * taken, (epoch + 1) * taken
    orders = []
    for turn in range(first // count, -(-last // count)):
        generator = torch.Generator().manual_seed(derive(seed, turn, purpose))
        orders.append(torch.randperm(count, generator=generator))
    return torch.cat(orders)[first % count :][:taken]


def batches_of(orders: Int[Tensor, "k _"], batch_size: int) -> tuple[Int[Tensor, "k _"], ...]:
    """Divide the orders of some networks into steps."""
    batches = torch.split(orders, batch_size, dim=1)
    # Batch norm has no spread to divide by in a batch of one, so a single image left over joins the batch before it.
    if batch_size > 1 and len(batches) > 1 and batches[-1].shape[1] == 1:
        batches = (*batches[:-2], torch.cat(batches[-2:], dim=1))
    return batches
