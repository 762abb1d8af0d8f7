"""What a run brought, printed: its report, or what it has bought so far."""

from db3kd.cli.display import print_json, print_pairs, remark
from db3kd.cli.session import Session
from db3kd.cli.tables import print_table
from db3kd.pipeline.conclude import PAGE, PICTURE, REPORT, account_of, asking_figures, distance_figures
from db3kd.pipeline.pictures import picture_of
from db3kd.pipeline.tell import Purchase
from db3kd.report.asking import (
    asking_table,
    origin_table,
    repulsion_notes,
    repulsion_table,
    step_table,
    transform_table,
    trust_notes,
)
from db3kd.report.bills import bill_table_of
from db3kd.report.schema import Report
from db3kd.report.tables import again_rows, outcome_table, query_table, student_table
from db3kd.runs import Run

_MOST_CLASSES = 30


def print_report(run: Run, report: Report, *, as_json: bool) -> None:
    """Print what a report holds."""
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        print_table(student_table(report), report.title)
        print_table(query_table(report))
        print_table(bill_table_of(report.queries))
        asking = report.asking
        if asking is not None and asking.trust is not None and len(asking.class_histogram) <= _MOST_CLASSES:
            print_table(asking_table(asking, report.class_names), "what the teacher answered")
        print_table(transform_table(asking), "what the teacher minds")
        for note in (*trust_notes(asking, report.class_names), *repulsion_notes(report.repulsion, report.class_names)):
            remark(note)
        page = run.folder / PAGE
        remark(f"report: {page if page.exists() else run.folder / REPORT}")
    for note in report.notes:
        remark(note)


def show_purchase(session: Session, purchase: Purchase, *, as_json: bool) -> None:
    """Print what a run has bought so far, and draw some of its images."""
    run, answers = session.run, purchase.bought.answers
    picture = picture_of(purchase)
    if picture:
        run.put(PICTURE, picture)
    queries = account_of(run.statement(), purchase.repeats, session.story.budget.prices)
    asking = asking_figures(session.story, purchase)
    measured = distance_figures(purchase)
    if as_json:
        figures = {"queries": queries, "asking": asking, "distances": measured, "repulsion": purchase.repulsion}
        print_json({name: None if one is None else one.model_dump(mode="json") for name, one in figures.items()})
        return
    again = (": ".join(row) for row in again_rows(queries.by_stage, queries.charged_again))
    spent = ", ".join((f"{queries.total:,} in all", *again))
    pairs = {"images": f"{len(answers):,} of {answers.images.name}", "queries": spent}
    if picture:
        pairs["picture"] = str(run.folder / PICTURE)
    print_pairs(pairs)
    names = answers.images.class_names
    print_table(asking_table(asking, names) if len(asking.class_histogram) <= _MOST_CLASSES else origin_table(asking))
    print_table(bill_table_of(queries))
    print_table(repulsion_table(purchase.repulsion, names))
    print_table(step_table(purchase.repulsion))
    if measured is not None:
        print_table(outcome_table(measured), f"distances by {measured.method}")
    for note in (*trust_notes(asking, names, taught=False), *repulsion_notes(purchase.repulsion, names)):
        remark(note)
