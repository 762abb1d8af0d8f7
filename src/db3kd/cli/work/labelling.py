"""The work of `db3kd label`."""

from collections.abc import Mapping
from pathlib import Path

from db3kd.cli.display import print_json, print_pairs, remark, showing
from db3kd.cli.work.kept import keep_answers, keep_known_classes, warn_of_changes, with_kept_budget
from db3kd.cli.work.tables import print_table
from db3kd.cli.work.watching import Watched
from db3kd.pipeline.labelling import TRANSFER, label
from db3kd.pipeline.repeating import kept_repeats
from db3kd.pipeline.reporting import account_of, describe_labelling
from db3kd.pipeline.telling import check_images
from db3kd.pipeline.timing import timed
from db3kd.plan.learning_keys import PrimerSection
from db3kd.plan.opening import open_budget, open_images, open_labelling, open_priming
from db3kd.plan.schema import BudgetSection
from db3kd.plan.teachers import open_teacher
from db3kd.report.schema import Queries
from db3kd.report.searches import Labelling
from db3kd.report.tables import UNKNOWN, outcome_table
from db3kd.runs import Run


def label_images(folder: Path, asked: Mapping[str, object], *, device: str, as_json: bool) -> None:
    """Buy decisions and distances, or go on with it.

    Args:
        folder: of the run.
        asked: sections teacher, images, label and, if one was given, budget.
        device: where searches and a torch teacher run.
        as_json: print JSON.
    """
    with Run(folder) as run:
        sections = with_kept_budget(run, asked)
        assert sections.teacher is not None
        assert sections.images is not None
        assert sections.label is not None
        teacher, images = open_teacher(sections.teacher, device=device).teacher, open_images(sections.images)
        labelling = open_labelling(sections.label, device=device)
        priming = open_priming(sections.primer or PrimerSection(), sections.label)
        check_images(teacher.spec, images, labelled=False)
        run.adopt(sections.sections())
        run.adopt_teacher(teacher.spec.fingerprint)
        keep_known_classes(run, teacher, sections.images, images)
        budget = open_budget(sections.budget or BudgetSection())
        keep_answers(run, teacher, sections.budget or BudgetSection())
        with showing() as stages, timed(run):
            transfer = label(
                run,
                Watched(teacher, stages.hear_rows),
                images,
                labelling,
                budget=budget,
                priming=priming,
                progress=stages,
            )
        found, repeats = describe_labelling(transfer), kept_repeats(run)
        queries = account_of(run.statement(), repeats)
    _show(folder, found, queries, len(transfer), as_json=as_json)
    warn_of_changes(repeats)


def _show(folder: Path, found: Labelling, queries: Queries, images: int, *, as_json: bool) -> None:
    if as_json:
        figures = {"labelling": found.model_dump(mode="json"), "queries": queries.model_dump(mode="json")}
        print_json({"transfer": str(folder / TRANSFER), "images": images, **figures})
        return
    median, spent = found.median_distance, found.mean_queries_per_pair
    print_pairs(
        {
            "transfer set": str(folder / TRANSFER),
            "pairs": f"{found.pairs:,} of {images:,} images and their other classes",
            "median distance": UNKNOWN if median is None else f"{median:.4g}",
            "queries per pair": UNKNOWN if spent is None else f"{spent:,.1f}, mean",
            "queries": f"{queries.total:,} in all",
        }
    )
    print_table(outcome_table(found))
    remark(f"next: db3kd distill --run {folder}")
