"""The work of `db3kd synthesize`, and of its dry run."""

from collections.abc import Mapping
from pathlib import Path

from db3kd.cli.display import print_json, print_pairs, remark, showing
from db3kd.cli.work.kept import with_kept_budget
from db3kd.cli.work.running import show_estimate
from db3kd.cli.work.tables import print_table
from db3kd.cli.work.watching import Watched
from db3kd.data import from_arrays
from db3kd.ledger import Statement
from db3kd.models import build
from db3kd.pipeline.estimate import StageEstimate, check_run, estimate_pushing, measure_speed
from db3kd.pipeline.explored import synthesize_by_asking
from db3kd.pipeline.exploring import EXPLORE
from db3kd.pipeline.reporting import account_of
from db3kd.pipeline.synthesized import IMAGES, PICTURE
from db3kd.pipeline.synthesizing import synthesize
from db3kd.pipeline.timing import timed
from db3kd.plan.opening import open_budget
from db3kd.plan.schema import BudgetSection
from db3kd.plan.synthesis import open_exploring, open_pushing
from db3kd.plan.teachers import open_teacher
from db3kd.report.making import synthesis_table
from db3kd.report.schema import Synthesis
from db3kd.report.tables import UNKNOWN
from db3kd.runs import Run
from db3kd.synthesis import draw_noise


def synthesize_images(folder: Path, asked: Mapping[str, object], *, device: str, as_json: bool) -> None:
    """Make images out of nothing, or go on with it.

    Args:
        folder: of the run.
        asked: sections teacher, synthesize and, if one was given, budget.
        device: where searches and a torch teacher run.
        as_json: print JSON.
    """
    with Run(folder) as run:
        sections = with_kept_budget(run, asked)
        assert sections.teacher is not None
        assert sections.synthesize is not None
        teacher = open_teacher(sections.teacher, device=device).teacher
        exploring = open_exploring(sections.synthesize, teacher.spec, device=device)
        pushing = open_pushing(sections.synthesize, device=device)
        if exploring is not None:
            build(exploring.architecture, teacher.spec.input_shape, teacher.spec.num_classes)
        elif pushing.priming is not None:
            # Built and dropped: a primer that cannot be built must not show after the first queries.
            build(pushing.priming.architecture, teacher.spec.input_shape, teacher.spec.num_classes)
        run.adopt(sections.sections())
        run.adopt_teacher(teacher.spec.fingerprint)
        budget = open_budget(sections.budget or BudgetSection())
        with showing() as stages, timed(run):
            watched = Watched(teacher, stages.hear_rows)
            if exploring is None:
                made = synthesize(run, watched, pushing, budget=budget, progress=stages)
            else:
                made = synthesize_by_asking(run, watched, exploring, budget=budget, progress=stages)
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
        sections = with_kept_budget(run, asked)
        assert sections.teacher is not None
        assert sections.synthesize is not None
        teacher = open_teacher(sections.teacher, device=device).teacher
        pushing = open_pushing(sections.synthesize, device=device)
        check_run(run, sections.sections(), teacher.spec.fingerprint)
        exploring = open_exploring(sections.synthesize, teacher.spec, device=device)
        if exploring is None:
            stages = estimate_pushing(run, pushing, teacher.spec)
        else:
            done = run.has(IMAGES)
            stages = (StageEstimate(EXPLORE, exploring.queries, 0 if done else exploring.queries),)
        budget = sections.budget or BudgetSection()
        left = None if budget.total is None else max(0, budget.total - run.statement().total)
    noise = from_arrays(draw_noise(teacher.spec, pushing.noise, 0)) if measure else None
    ahead = any(stage.ahead for stage in stages)
    speed = measure_speed(teacher, noise) if noise is not None and ahead else None
    show_estimate(stages, speed, budget, left, as_json=as_json)


def _show(run: Run, figures: Synthesis, statement: Statement, *, as_json: bool) -> None:
    queries = account_of(statement)
    picture = str(run.folder / PICTURE) if run.has(PICTURE) else None
    if as_json:
        made = {"images": str(run.folder / IMAGES), "picture": picture, "synthesis": figures.model_dump(mode="json")}
        print_json({**made, "queries": queries.model_dump(mode="json")})
    else:
        per_image = queries.total / figures.images if figures.images else None
        first, last = (_shown(figures.distances, end) for end in (0, -1))
        print_pairs(
            {
                "images": f"{figures.images:,} in {run.folder / IMAGES}",
                "picture": picture or UNKNOWN,
                "mean distance found": f"{first} at the first step, {last} at the last",
                "queries": f"{queries.total:,} in all",
                "queries per image": UNKNOWN if per_image is None else f"{per_image:,.1f}",
            }
        )
        print_table(synthesis_table(figures))
    if figures.missing:
        numbers = ", ".join(map(str, figures.missing))
        remark(f"the teacher put nothing in class {numbers}: no image of it was made, and a student will not know it")
    remark(
        f"next: db3kd label --images run:{run.folder} --run {run.folder} --teacher ...; the classes are paid already"
    )


def _shown(distances: tuple[float | None, ...], place: int) -> str:
    found = distances[place] if distances else None
    return UNKNOWN if found is None else f"{found:.3g}"
