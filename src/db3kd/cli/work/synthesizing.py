"""The work of `db3kd synthesize`, and of its dry run."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from db3kd.cli.display import print_json, print_pairs, remark, showing
from db3kd.cli.work.estimates import show_estimate
from db3kd.cli.work.kept import kept_sections, with_kept_budget
from db3kd.cli.work.tables import print_table
from db3kd.cli.work.watching import Watched
from db3kd.errors import PlanError
from db3kd.ledger import Statement
from db3kd.models import build
from db3kd.pipeline.estimate import check_run, estimate_exploring, estimate_pushing
from db3kd.pipeline.explored import synthesize_by_asking
from db3kd.pipeline.exploring import Exploring
from db3kd.pipeline.reporting import account_of
from db3kd.pipeline.synthesized import IMAGES, PICTURE
from db3kd.pipeline.synthesizing import Pushing, synthesize
from db3kd.pipeline.timing import timed
from db3kd.plan import Sections
from db3kd.plan.opening import open_budget
from db3kd.plan.schema import BudgetSection
from db3kd.plan.synthesis import open_exploring, open_pushing, settle_exploring
from db3kd.plan.teachers import open_teacher
from db3kd.report.making import synthesis_notes, synthesis_table
from db3kd.report.schema import Synthesis
from db3kd.report.tables import UNKNOWN
from db3kd.runs import Run
from db3kd.teachers import Teacher


class _Opened(NamedTuple):
    """What the options ask for, as objects: `exploring` is None where images are made by repulsion."""

    sections: Sections
    teacher: Teacher
    exploring: Exploring | None
    pushing: Pushing
    budget: BudgetSection


def synthesize_images(folder: Path, asked: Mapping[str, object], *, device: str, as_json: bool) -> None:
    """Make images out of nothing, or go on with it.

    Args:
        folder: of the run.
        asked: sections teacher, synthesize and, if one was given, budget.
        device: where searches and a torch teacher run.
        as_json: print JSON.
    """
    with Run(folder) as run:
        opened = _open(run, asked, device=device)
        run.adopt(opened.sections.sections())
        run.adopt_teacher(opened.teacher.spec.fingerprint)
        budget = open_budget(opened.budget)
        with showing() as stages, timed(run):
            watched = Watched(opened.teacher, stages.hear_rows)
            if opened.exploring is None:
                made = synthesize(run, watched, opened.pushing, budget=budget, progress=stages)
            else:
                made = synthesize_by_asking(run, watched, opened.exploring, budget=budget, progress=stages)
        _show(run, made.figures, run.statement(), as_json=as_json)


def foretell_synthesis(folder: Path, asked: Mapping[str, object], *, measure: bool, device: str, as_json: bool) -> None:
    """Tell queries and time of a synthesis beforehand.

    Args:
        folder: of the run, which may be there already.
        asked: sections teacher, synthesize and, if one was given, budget.
        measure: ask the teacher a few calls, outside the budget.
        device: where everything would run.
        as_json: print JSON.
    """
    with Run(folder) as run:
        opened = _open(run, asked, device=device)
        spec = opened.teacher.spec
        check_run(run, opened.sections.sections(), spec.fingerprint)
        if opened.exploring is None:
            stages = estimate_pushing(run, opened.pushing, spec)
        else:
            stages = estimate_exploring(run, opened.exploring)
        spent = run.statement().total
    show_estimate(stages, opened.teacher, opened.budget, spent=spent, measure=measure, as_json=as_json)


def _open(run: Run, asked: Mapping[str, object], *, device: str) -> _Opened:
    """Make objects of what the options say, and refuse before a query what cannot be built."""
    sections = with_kept_budget(run, asked)
    section, budget = sections.synthesize, sections.budget or BudgetSection()
    assert sections.teacher is not None
    assert section is not None
    if section.unheeded is not None:
        raise PlanError(f"{section.unheeded}; nothing was asked: leave these options out, or name another --method")
    teacher = open_teacher(sections.teacher, device=device).teacher
    if section.method != "repulsion":
        kept = kept_sections(run).synthesize
        section = settle_exploring(section, budget, primers=section.primer_architecture, kept=kept)
        sections = sections.model_copy(update={"synthesize": section})
    exploring = open_exploring(section, teacher.spec, device=device)
    pushing = open_pushing(section, device=device)
    primers = exploring or pushing.priming
    if primers is not None:
        # Built and dropped: a primer that cannot be built must not show after the first queries.
        build(primers.architecture, teacher.spec.input_shape, teacher.spec.num_classes)
    return _Opened(sections, teacher, exploring, pushing, budget)


def _show(run: Run, figures: Synthesis, statement: Statement, *, as_json: bool) -> None:
    queries = account_of(statement)
    picture = str(run.folder / PICTURE) if run.has(PICTURE) else None
    if as_json:
        made = {"images": str(run.folder / IMAGES), "picture": picture, "synthesis": figures.model_dump(mode="json")}
        print_json({**made, "queries": queries.model_dump(mode="json")})
    else:
        per_image = queries.total / figures.images if figures.images else None
        pairs = {"images": f"{figures.images:,} in {run.folder / IMAGES}", "picture": picture or UNKNOWN}
        if figures.distances:
            first, last = (_shown(figures.distances, end) for end in (0, -1))
            pairs["mean distance found"] = f"{first} at the first step, {last} at the last"
        pairs["queries"] = f"{queries.total:,} in all"
        pairs["queries per image"] = UNKNOWN if per_image is None else f"{per_image:,.1f}"
        print_pairs(pairs)
        print_table(synthesis_table(figures))
    for note in synthesis_notes(figures):
        remark(note)
    label = f"db3kd label --images run:{run.folder} --run {run.folder} --teacher ..."
    if figures.method == "repulsion":
        remark(f"next: {label}; the classes are paid already")
    else:
        remark(
            f"next: db3kd run PLAN --run {run.folder}, with a plan of this teacher and section synthesize, teaches a "
            f"student what the primers think, and pays for none of these again; or {label}, for students of the "
            "answers alone"
        )


def _shown(distances: tuple[float | None, ...], place: int) -> str:
    found = distances[place] if distances else None
    return UNKNOWN if found is None else f"{found:.3g}"
