"""The bare teacher is taken at its fastest, and the search's clock stands still while it is measured."""

import pytest
import torch

from benchmarks.search.speed import Alternating, BareTeacher
from db3kd.ledger import Ledger
from db3kd.models import build
from db3kd.oracle import Oracle
from db3kd.tensors import Float, Tensor
from known_teachers import Counting, Sectors, Slow

SHAPE = (1, 6, 6)


def network() -> torch.nn.Module:
    return build("made_networks:one_layer", SHAPE, 3)


def images(count: int) -> Float[Tensor, "n c h w"]:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1))


def test_the_clock_stands_still_while_the_bare_teacher_is_measured() -> None:
    teacher = Counting(Slow(Sectors(SHAPE), seconds=0.005))
    oracle = Oracle(teacher, Ledger(None).account("speed"))
    bare = BareTeacher(network(), images(60), rounds=1, round_seconds=0.001)
    asked_images = images(32)

    with Alternating(oracle, bare, slice_seconds=0.02, bare_seconds=0.1) as asked:
        for _ in range(20):
            asked(asked_images)

    # 20 calls of 5 ms make at least four slices, and the bare measurements between them 0.4 s and more.
    assert asked.speed.rows == teacher.rows == 640
    assert 0.1 <= asked.speed.seconds < 0.4
    assert asked.speed.share_of_bare == pytest.approx(640 / asked.speed.seconds / asked.speed.bare_rows_per_second)


def test_the_bare_teacher_takes_the_fastest_combination() -> None:
    bare = BareTeacher(network(), images(10), rounds=1, round_seconds=0.001)

    assert len(bare.speeds) == 10
    assert bare.speeds[bare.batch, bare.memory_layout] == max(bare.speeds.values())
