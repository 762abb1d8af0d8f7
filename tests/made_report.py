"""A report with all that a run with distances has, one with all that there is, and one with nothing."""

import torch
from torch import Tensor

from db3kd.acquisition import Step
from db3kd.answers import Answers
from db3kd.augmentation import TRANSFORMS
from db3kd.boundary import Distances, Outcome
from db3kd.data import from_arrays
from db3kd.evaluation import Calibration, CalibrationBin, ClassScore, Gain, OriginScore, TransformScore, Trust
from db3kd.ledger import Bill, Prices
from db3kd.report.distances import DistanceFigures, summarise
from db3kd.report.examples import Example
from db3kd.report.figures import (
    AskingFigures,
    CommitteeFigures,
    Queries,
    RepulsionFigures,
    StudentFigures,
    TeacherFigures,
)
from db3kd.report.schema import Report
from db3kd.report.strips import draw_pushes, draw_samples

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


def full_report() -> Report:
    """All sections but the images made by repulsion: curve, confusion, transforms, origins, bills, money."""
    counts = (300, 220, 180, 120, 80, 50, 30, 15, 5, 0)
    own = (
        report()
        .students[-1]
        .model_copy(
            update={
                "name": "opinions",
                "confusion": tuple(
                    tuple(90 if row == column else (row + column) % 3 for column in range(10)) for row in range(10)
                ),
            }
        )
    )
    classes = tuple(
        ClassScore(label, None, None, answers // 10, 0.9 if answers >= 10 else None)
        for label, answers in enumerate(counts)
    )
    asking = AskingFigures(
        pool="images and priors",
        acquisition="margin",
        queries=1010,
        planned=2000,
        ended="flat",
        class_histogram=counts,
        abstained=10,
        never_decided=(9,),
        by_origin={"images": 600, "priors/" + "a family with a long name/" * 3: 410},
        gains=(
            Gain(0, 300, 100, 0.1, 0.72, 0.04),
            Gain(300, 600, 100, 0.72, 0.83, 0.03),
            Gain(600, 1010, 100, 0.83, 0.88, 0.02, learned_longer=True),
        ),
        after_1000_more=0.93,
        transforms=tuple(TransformScore(way.name, 20, 20 - place, 0.1, 0.4) for place, way in enumerate(TRANSFORMS)),
        trust=Trust(100, 0.9, 0.826, 0.945, 0.88, classes, (OriginScore("images", 100, 0.9),)),
    )
    queries = Queries(
        total=1026,
        by_stage={"answers": 1010, "repeats": 16},
        held_out={"held-out": 1000},
        repeated=16,
        changed=1,
        bills={"answers": Bill(1010, 2, 200_000, 3_000, 24, 11, 1), "repeats": Bill(16, 0, 3_200, 48)},
        held_out_bills={"held-out": Bill(1000, 0, 200_000, 3_000)},
        prices=Prices(0.5, 1.0, 10.0),
        money=1.04,
    )
    address = "https://models.example.org/v1/chat/completions?model=a-vision-model-with-a-very-long-name-2026-11-30"
    return report().model_copy(
        update={
            "title": f"lenet5-half from {address} on imagefolder:{'a-very-long-folder-name' * 3}",
            "teacher": TeacherFigures(accuracy=0.9731, name=address),
            "students": (*report().students[:2], own),
            "queries": queries,
            "asking": asking,
            "settings": {"teacher": {"uri": address}, "budget": {"total": 2000}},
            "notes": (f"Of {address} nothing is known but its answers.",),
        }
    )


def pushed_report() -> Report:
    """With images made by repulsion as well."""
    images, noise = (7, *(5,) * 9), (40,) * 10
    distances, pushes = (None, *(1.0 + step for step in range(20))), (0.5,) * 21
    made = RepulsionFigures(
        images=52,
        images_by_class=images,
        noise_by_class=noise,
        starts_by_class=images,
        distances=distances,
        pushes=pushes,
    )
    return full_report().model_copy(update={"repulsion": made})


def sample_sheet() -> bytes:
    """Some images of each class and round."""
    pixels = torch.rand(60, 1, 28, 28, generator=torch.Generator().manual_seed(2))
    none = torch.zeros(60, dtype=torch.bool)
    answers = Answers(from_arrays(pixels), torch.arange(60) % 9, ("images",) * 60, 10, none)
    rounds = (Step("aside", 10), Step("lot", 20), Step("views", 5), Step("chosen", 25))
    return draw_samples(answers, rounds, CLASSES)


def push_sheet() -> bytes:
    """The first image of each class over the pushes."""
    strips = torch.rand(10, 5, 1, 28, 28, generator=torch.Generator().manual_seed(2))
    return draw_pushes(strips, CLASSES, (0, 5, 10, 15, 20), (None, *(1.0 + step for step in range(20))))


def examples(channels: int, side: int, count: int = 2) -> list[Example]:
    generator = torch.Generator().manual_seed(5)
    pairs = torch.rand(count, 2, channels, side, side, generator=generator)
    return [Example(image, crossing, "ankle boot", "<i>sneaker", 1.234, 1480) for image, crossing in pairs]


def bare_report() -> Report:
    return Report(title="bare", db3kd_version="0", teacher=TeacherFigures(), students=(), queries=Queries(total=0))
