"""The work of `db3kd bench frontier`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

from db3kd.bench.frontier import Frontier, FrontierOptions, FrontierRow, measure_frontier, read_bought
from db3kd.cli.display import showing
from db3kd.cli.work.tables import print_table
from db3kd.data import load
from db3kd.errors import InputError
from db3kd.models import weights
from db3kd.pipeline import Distillation, SofteningRule
from db3kd.pipeline.story import TEMPERATURES
from db3kd.plan import parse_sections
from db3kd.plan.opening import open_distillation
from db3kd.report.tables import Column, Table, percent
from db3kd.runs import Run, write_atomically

_COLUMNS = (
    Column("student", numeric=False),
    Column("learned from", numeric=False),
    Column("saw images"),
    Column("queries per image"),
    Column("accuracy"),
    Column("agreement"),
)


def draw_frontier(
    uri: str,
    bought: Sequence[Path],
    held_out: str,
    folder: Path,
    *,
    file: Path | None,
    section: Mapping[str, object],
    students: Sequence[str],
    seeds: Sequence[str],
    softenings: Sequence[str],
    device: str,
) -> None:
    """Train and measure the students, print the table, write the file.

    Args:
        uri: of the teacher, which must be a network of ours.
        bought: runs whose labelling is finished.
        held_out: source of the test images.
        folder: of the run that keeps the trained students.
        file: gets all figures as JSON.
        section: keys of the section `distill` that all students share.
        students: architectures.
        seeds: of the trainings.
        softenings: rules by which distances become soft labels.
        device: where everything runs.

    Raises:
        InputError: the teacher is no network of ours, or an option is none.
    """
    if not uri.startswith("torch:"):
        raise InputError(
            f"expected a teacher torch:FILE or torch:ARCHITECTURE@FILE, got {uri!r}; nothing was trained: a comparison "
            "with logits needs the network itself"
        )
    options = _options(seeds, softenings, device)
    module, _ = weights.from_file(Path(uri.removeprefix("torch:").rpartition("@")[2]))
    with Run(folder) as run, showing() as stages:
        run.adopt({"frontier": {"teacher": uri, **section}})
        frontier = measure_frontier(
            run,
            read_bought(bought),
            module,
            load(held_out, "test"),
            [_distillation(student, section) for student in students],
            options=options,
            progress=stages,
        )
    if file is not None:
        write_atomically(file, _json(frontier))
    print_table(Table(_COLUMNS, tuple(_cells(row) for row in frontier.rows)), _title(frontier))


def _options(seeds: Sequence[str], softenings: Sequence[str], device: str) -> FrontierOptions:
    unknown = [name for name in softenings if name not in TEMPERATURES]
    if unknown:
        raise InputError(f"softenings are {', '.join(TEMPERATURES)}, got {', '.join(unknown)}; nothing was trained")
    rules = tuple(cast("SofteningRule", name) for name in softenings)
    if not all(seed.isdecimal() for seed in seeds):
        raise InputError(f"expected seeds such as 0,1,2, got {','.join(seeds)!r}; nothing was trained")
    return FrontierOptions(tuple(int(seed) for seed in seeds), rules, device)


def _distillation(student: str, section: Mapping[str, object]) -> Distillation:
    sections = parse_sections({"distill": {**section, "student": student}}, "what the options say")
    assert sections.distill is not None
    return open_distillation(sections.distill)


def _title(frontier: Frontier) -> str:
    return f"the teacher itself: {percent(frontier.teacher_accuracy)}"


def _cells(row: FrontierRow) -> tuple[str, ...]:
    spread = "" if row.accuracy_std is None else f" ± {100 * row.accuracy_std:.2f}"
    return (
        row.student,
        row.method,
        f"{row.images:,}",
        f"{row.queries_per_image:,.0f}",
        percent(row.accuracy_mean) + spread,
        percent(row.agreement_mean),
    )


def _json(frontier: Frontier) -> bytes:
    return (json.dumps([asdict(row) for row in frontier.rows], indent=2) + "\n").encode()
