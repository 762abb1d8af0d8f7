"""The tables that tell how images were made out of nothing; laid out by the page and the command line.

Beside `tables`, which has those of every report.
"""

from db3kd.report.schema import Synthesis
from db3kd.report.tables import UNKNOWN, Column, Table, class_label


def synthesis_table(found: Synthesis | None, class_names: tuple[str, ...] = ()) -> Table:
    """Show how images were made out of nothing, class by class.

    Args:
        found: how; None where they were not.
        class_names: one per class, or empty.

    Returns:
        A row per class, and one for all.
    """
    columns = (Column("class"), Column("noise"), Column("pushed"), Column("images"))
    if found is None:
        return Table(columns, ())
    counts = [found.noise_by_class, found.starts_by_class, found.images_by_class]
    rows = [
        (class_label(class_names, number), *(_count(count[number] if count else None) for count in counts))
        for number in range(len(found.images_by_class))
    ]
    return Table(columns, (*rows, ("all", *(_count(sum(count) if count else None) for count in counts))))


def step_table(found: Synthesis | None) -> Table:
    """Show how far the boundary was while images were pushed away from it.

    Args:
        found: how images were made; None where they were not.

    Returns:
        A row for every fifth step and the last.
    """
    columns = (
        Column("pushes before"),
        Column("mean distance", meaning="to the nearest boundary that was found, in input units"),
        Column(
            "mean push", meaning="how far the images then went; less than the step where a class would have changed"
        ),
    )
    if found is None:
        return Table(columns, ())
    last = len(found.distances) - 1
    rows = tuple(
        (str(step), UNKNOWN if distance is None else f"{distance:.3g}", f"{push:.3g}")
        for step, (distance, push) in enumerate(zip(found.distances, found.pushes, strict=True))
        if step % 5 == 0 or step == last
    )
    return Table(columns, rows)


def _count(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"
