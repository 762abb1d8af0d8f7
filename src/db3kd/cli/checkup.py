"""`db3kd check-teacher`: a teacher is looked at before money is spent on it."""

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from db3kd.cli import options
from db3kd.cli.display import print_json, print_pairs, remark
from db3kd.cli.options import content_of
from db3kd.cli.session import read_images
from db3kd.errors import TeacherError
from db3kd.ledger import Bill
from db3kd.pipeline.asking import as_seen, class_names_of
from db3kd.pipeline.checkup import VERDICTS, Checkup
from db3kd.pipeline.checkup import check_teacher as examine
from db3kd.pipeline.settling import check_images
from db3kd.plan import merged, open_teacher, parse_plan
from db3kd.plan.teacher_keys import TeacherSection
from db3kd.plan.writing import in_one_line
from db3kd.report.tables import UNKNOWN, percent, share

_SHOWN_CLASSES = 12


def check_teacher(
    teacher: Annotated[str, typer.Argument(help="URI of the teacher, with options.", metavar="URI")],
    *,
    data: Annotated[
        str | None, typer.Option(help="Images to ask about, best with labels; noise without it.", metavar="SOURCE")
    ] = None,
    split: Annotated[
        Literal["train", "test"] | None,
        typer.Option(help="Which images of the source; left out, test where it has any."),
    ] = None,
    queries: Annotated[int, typer.Option(min=2, help="Most rows to ask.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed by which the images are drawn.")] = 0,
    settings: options.SET = None,
    device: options.DEVICE = "cpu",
    as_json: options.JSON = False,
) -> None:
    """Look at a teacher before money is spent: does it answer, always the same, and at this value range?"""
    asked = content_of(None, settings, teacher__uri=teacher)
    named = {} if data is None else content_of(None, None, held_out__source=data, held_out__split=split)
    plan = parse_plan(merged(asked, named))
    assert plan.teacher is not None, "its URI is given"
    opened = open_teacher(plan.teacher, device=device).teacher
    images = None
    if plan.held_out is not None:
        images = read_images(plan.held_out, opened.spec.input_shape)
        check_images(opened.spec, images, labelled=False)
        images = as_seen(images, opened.spec)
    found = examine(opened, images, queries=queries, seed=seed)
    lines = _plan_lines(plan.teacher, found)
    if as_json:
        print_json({"verdict": found.verdict, **asdict(found), "plan": lines})
    else:
        names = class_names_of(opened.spec, images)
        _show(found, (*names, "no class") if len(names) == opened.spec.num_classes else (), lines)
    if found.failure is not None:
        raise TeacherError(found.failure)


def _plan_lines(section: TeacherSection, found: Checkup) -> list[str]:
    """What to write into a plan for this teacher."""
    said = [
        f"{name} = {in_one_line(value)}"
        for name, value in section.model_dump(mode="json", exclude_none=True, exclude_defaults=True).items()
    ]
    if found.verdict == "value range" and found.best is not None:
        said += found.best.plan_lines
    if found.verdict == "depends on the batch":
        said.append("max_batch = 1")
    return said


def _billed(bill: Bill) -> dict[str, str]:
    """What a service that bills by tokens has billed, and how often it gave no class."""
    if not bill:
        return {}
    each = bill.foretell(1)
    tokens = "not counted by the server" if each is None else f"{each.input_tokens:,} in, {each.output_tokens:,} out"
    return {
        "off the list": f"{bill.off_list} of {bill.answers} answers, {share(bill.off_list, bill.answers)}",
        "refused": f"{bill.refused} of {bill.answers} answers, {share(bill.refused, bill.answers)}",
        "tokens": f"{tokens} for a question; {bill.input_tokens:,} and {bill.output_tokens:,} in all",
    }


def _show(found: Checkup, names: tuple[str, ...], lines: list[str]) -> None:
    counted = [f"{names[number] if names else number}: {count}" for number, count in found.classes]
    more = f" and {len(counted) - _SHOWN_CLASSES} more" if len(counted) > _SHOWN_CLASSES else ""
    pairs = {
        "queries": f"{found.queries:,}" + (", and the budget ended before all was asked" if found.cut_short else ""),
        "asked twice": f"{found.changed} of {found.repeated} answers changed",
        "alone and in a batch": f"{found.differed} of {found.alone} answers differ" if found.alone else UNKNOWN,
        "classes that showed up": ", ".join(counted[:_SHOWN_CLASSES]) + more,
        **_billed(found.bill),
    }
    for rows, seconds in found.paces:
        pairs[f"a call of {rows}"] = f"{1000 * seconds:.1f} ms, {rows / seconds:,.0f} rows/s"
    for agreement in found.agreements:
        right = f"{agreement.right} of {agreement.images}, {percent(agreement.share)}"
        shown = "refused" if agreement.refused else f"{right}, {agreement.classes} classes"
        pairs[f"agrees with labels, {agreement.how}"] = shown
    pairs["verdict"] = f"{found.verdict}: {VERDICTS[found.verdict]}"
    print_pairs(pairs)
    if found.failure is None:
        print("\n[teacher]\n" + "\n".join(lines))
        remark("these lines go into a plan; the same keys may follow a question mark in --teacher")
