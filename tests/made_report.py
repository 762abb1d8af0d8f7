"""A report with all that a run with distances has, and one with nothing."""

import torch
from torch import Tensor

from db3kd.boundary import Distances, Outcome
from db3kd.evaluation import Calibration, CalibrationBin
from db3kd.report.distances import DistanceFigures, summarise
from db3kd.report.examples import Example
from db3kd.report.figures import CommitteeFigures, Queries, StudentFigures, TeacherFigures
from db3kd.report.schema import Report

CLASSES = ("<b>bold</b>", "$x$", "ankle & boot", "a_{", *(f"class {number}" for number in range(4, 10)))


def distances(values: Tensor, queries: Tensor, outcomes: Tensor, method: str) -> Distances:
    ids = tuple(str(row) for row in range(len(values)))
    return Distances(ids=ids, distances=values, queries=queries, outcomes=outcomes, snapshots={}, method=method)


def searched(method: str) -> DistanceFigures:
    own = torch.arange(60) % 10
    outcomes = torch.full((60, 10), int(Outcome.FOUND))
    outcomes[:10] = Outcome.STALLED
    outcomes[torch.arange(60), own] = -1
    values = 1 + torch.rand(60, 10, generator=torch.Generator().manual_seed(3))
    return summarise(distances(values, torch.full((60, 10), 7), outcomes, method), own)


def report() -> Report:
    bins = tuple(
        CalibrationBin(lower=n / 10, upper=(n + 1) / 10, images=n, confidence=n / 10, correct=n / 10) for n in range(10)
    )
    methods = ("true-labels", "hard-decisions", "logits", "sd", "bd", "mbd")
    students = tuple(
        StudentFigures(
            name=name,
            accuracy=0.8 + 0.01 * place,
            agreement=0.9,
            queries=4321 * place,
            parameters=47645,
            images=400,
            seeds=(0, 1),
            accuracy_by_seed=(0.79, 0.81),
            per_class=(0.5, None, *(0.25,) * 8),
            calibration=Calibration(error=0.0417, against="labels", bins=bins),
            last_loss=0.125,
        )
        for place, name in enumerate(methods)
    )
    return Report(
        title="A run <of> ours",
        db3kd_version="0.1.0",
        teacher=TeacherFigures(accuracy=0.9731, parameters=187_780, name="torch:lenet5@teacher.safetensors"),
        students=students,
        queries=Queries(total=65_432, by_stage={"decisions": 400, "mbd": 65_032}, held_out={"evaluation": 1000}),
        seconds=245.0,
        class_names=CLASSES,
        distances=(searched("sd"), searched("bd"), searched("mbd")),
        committee=CommitteeFigures(architecture="lenet5", members=2, queries=400, accuracy=0.9, agreement=0.95),
        settings={"seed": 0, "label": {"methods": ["sd", "bd"], "price": None}},
        notes=("All students saw the same 400 images.",),
    )


def examples(channels: int, side: int, count: int = 2) -> list[Example]:
    generator = torch.Generator().manual_seed(5)
    pairs = torch.rand(count, 2, channels, side, side, generator=generator)
    return [Example(image, crossing, "ankle boot", "<i>sneaker", 1.234, 1480) for image, crossing in pairs]


def bare_report() -> Report:
    return Report(title="bare", db3kd_version="0", teacher=TeacherFigures(), students=(), queries=Queries(total=0))
