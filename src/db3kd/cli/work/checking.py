"""The work of `db3kd check-teacher`."""

from collections.abc import Mapping
from dataclasses import asdict

from db3kd.cli.display import print_json, print_pairs, remark
from db3kd.errors import TeacherError
from db3kd.pipeline.checkup import VERDICTS, Checkup, check_teacher
from db3kd.pipeline.telling import check_images
from db3kd.plan import parse_sections
from db3kd.plan.opening import open_images
from db3kd.plan.teacher_keys import TeacherSection
from db3kd.plan.teachers import open_teacher
from db3kd.report.tables import percent

_SHOWN_CLASSES = 12


def examine(
    asked: Mapping[str, object],
    data: Mapping[str, object] | None,
    *,
    queries: int,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Look at a teacher and tell what was found.

    Args:
        asked: keys of the section `teacher`.
        data: keys of the images, or None for noise.
        queries: most rows to ask.
        seed: of the choice of images.
        device: where a torch teacher runs.
        as_json: print JSON.

    Raises:
        TeacherError: it failed for good; what was found before is printed.
    """
    named: dict[str, object] = {"teacher": asked}
    sections = parse_sections(named if data is None else {**named, "images": data}, "what the options say")
    assert sections.teacher is not None
    teacher = open_teacher(sections.teacher, device=device).teacher
    images = None if sections.images is None else open_images(sections.images)
    if images is not None:
        check_images(teacher.spec, images, labelled=False)
    found = check_teacher(teacher, images, queries=queries, seed=seed)
    lines = _plan_lines(sections.teacher, found)
    if as_json:
        print_json({"verdict": found.verdict, **asdict(found), "plan": lines})
    else:
        _show(found, lines)
    if found.failure is not None:
        raise TeacherError(found.failure)


def _plan_lines(section: TeacherSection, found: Checkup) -> list[str]:
    """What to write into a plan for this teacher."""
    said = [f"uri = {section.uri!r}".replace("'", '"')]
    for name, value in section.model_dump(exclude_none=True, exclude_defaults=True, exclude={"uri"}).items():
        shown = list(value) if isinstance(value, tuple) else str(value).lower() if isinstance(value, bool) else value
        said.append(f"{name} = {shown!r}".replace("'", '"') if not isinstance(value, bool) else f"{name} = {shown}")
    if found.verdict == "value range" and found.best is not None:
        said += found.best.plan_lines
    if found.verdict == "depends on the batch":
        said.append("max_batch = 1")
    return said


def _show(found: Checkup, lines: list[str]) -> None:
    counted = [f"{number}: {count}" for number, count in found.classes]
    more = "" if len(counted) <= _SHOWN_CLASSES else f" and {len(counted) - _SHOWN_CLASSES} more"
    pairs = {
        "queries": f"{found.queries:,}" + (", and the budget ended before all was asked" if found.cut_short else ""),
        "asked twice": f"{found.changed} of {found.repeated} answers changed",
        "alone and in a batch": f"{found.differed} of {found.alone} answers differ",
        "classes that showed up": ", ".join(counted[:_SHOWN_CLASSES]) + more,
    }
    for pace in found.paces:
        pairs[f"a call of {pace.rows}"] = f"{1000 * pace.seconds:.1f} ms, {pace.rows / pace.seconds:,.0f} rows/s"
    for agreement in found.agreements:
        right = f"{agreement.right} of {agreement.images}, {percent(agreement.share)}"
        shown = "refused" if agreement.refused else f"{right}, {agreement.classes} classes"
        pairs[f"agrees with labels, {agreement.how}"] = shown
    pairs["verdict"] = f"{found.verdict}: {VERDICTS[found.verdict]}"
    print_pairs(pairs)
    if found.failure is None:
        print("\n[teacher]\n" + "\n".join(lines))
        remark("these lines go into a plan; the same keys may follow a question mark in --teacher")
