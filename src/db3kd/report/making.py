"""The tables that tell how images were made out of nothing, and how far their student can be trusted.

Laid out by the page and the command line. Beside `tables`, which has those of every report.
"""

from db3kd.report.exploration import Agreement, Exploration
from db3kd.report.schema import Synthesis
from db3kd.report.tables import UNKNOWN, Column, Table, class_label, percent

_GAINED_BY = {None: UNKNOWN, False: "answers", True: "answers and longer learning"}


def synthesis_table(found: Synthesis | None, class_names: tuple[str, ...] = ()) -> Table:
    """Show how images were made out of nothing, class by class.

    Args:
        found: how; None where they were not.
        class_names: one per class, or empty.

    Returns:
        A row per class, and one for all.
    """
    if found is None:
        return Table((Column("class"), Column("images")), ())
    # Where nothing was pushed there was no noise either.
    pushed = {"noise": found.noise_by_class, "pushed": found.starts_by_class} if found.noise_by_class else {}
    counts = {**pushed, "images": found.images_by_class}
    rows = [
        (class_label(class_names, number), *(f"{count[number]:,}" for count in counts.values()))
        for number in range(len(found.images_by_class))
    ]
    total = ("all", *(f"{sum(count):,}" for count in counts.values()))
    return Table((Column("class"), *map(Column, counts)), (*rows, total))


def synthesis_notes(found: Synthesis | None, class_names: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Say in a sentence which classes a student cannot know.

    Args:
        found: how images were made; None where they were not.
        class_names: one per class, or empty.

    Returns:
        The classes that never came, by name; nothing where all of them did.
    """
    if found is None or not found.missing:
        return ()
    names = ", ".join(class_label(class_names, number) for number in found.missing)
    return (f"The teacher put nothing in class {names}: no image of it was made, and a student will not know it.",)


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


def answer_table(found: Exploration | None, class_names: tuple[str, ...] = ()) -> Table:
    """Show what a teacher answered about made images, and how far the student can be trusted, class by class.

    Args:
        found: how it was explored; None where it was not.
        class_names: one per class, or empty.

    Returns:
        A row per class, also for those that the teacher never gave, and one for all.
    """
    columns = (
        Column("class", numeric=False),
        Column("answers", meaning="images that the teacher put in the class"),
        Column("share"),
        Column("kept apart", meaning="answers that no training saw"),
        Column("agreement", meaning="share of those that the student answers as the teacher did"),
    )
    if found is None:
        return Table(columns, ())
    rows = []
    for label, answers in enumerate(found.class_histogram):
        score = found.classes[label] if found.classes else Agreement(name="", images=0)
        name = class_label(class_names, label)
        share = percent(answers / found.queries if found.queries else None)
        known = (f"{score.images:,}", percent(score.agreement)) if answers else ("", "never came: unknown")
        rows.append((name, f"{answers:,}", share, *known))
    return Table(columns, (*rows, ("all", f"{found.queries:,}", "", f"{found.apart:,}", percent(found.agreement))))


def kind_table(found: Exploration | None) -> Table:
    """Show a student's agreement on each kind of image.

    Args:
        found: how the teacher was explored; None where it was not.

    Returns:
        A row per kind that answers were kept apart of.
    """
    columns = (Column("kind of image", numeric=False), Column("kept apart"), Column("agreement"))
    kinds = () if found is None else found.kinds
    return Table(columns, tuple((one.name, f"{one.images:,}", percent(one.agreement)) for one in kinds))


def gain_table(found: Exploration | None) -> Table:
    """Show how an ensemble's agreement grew with the answers.

    Args:
        found: how the teacher was explored; None where it was not.

    Returns:
        A row per round that two ensembles were compared after; the last one compares with those that taught.
    """
    columns = (
        Column("queries in all"),
        Column("kept apart"),
        Column("agreement before"),
        Column("after"),
        Column("gain", meaning="in points, with its standard error"),
        Column("by", numeric=False, meaning="more answers alone, or also networks that learned for longer"),
    )
    gains = () if found is None else found.gains
    rows = tuple(
        (
            f"{one.queries:,}",
            f"{one.images:,}",
            percent(one.before),
            percent(one.after),
            f"{100 * (one.after - one.before):+.2f} ± {100 * one.error:.2f}",
            _GAINED_BY[one.learned_longer],
        )
        for one in gains
    )
    return Table(columns, rows)


def trust_notes(found: Exploration | None, class_names: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Say in sentences what a reader must not overlook.

    Args:
        found: how the teacher was explored; None where it was not.
        class_names: one per class, or empty.

    Returns:
        The classes that never came, how far the student can be trusted, and why the rounds ended.
    """
    if found is None:
        return ()
    notes = []
    if found.never_decided:
        names = ", ".join(class_label(class_names, label) for label in found.never_decided)
        notes.append(
            f"In {found.queries:,} queries the teacher never gave class {names}: the student does not know it. Ask "
            "more, or about images of your own."
        )
    if found.agreement is not None:
        between = f" (19 times of 20 between {percent(found.lower)} and {percent(found.upper)})"
        notes.append(
            f"On {found.apart:,} made images that no training saw, the student answers {percent(found.agreement)}"
            f"{between} as the teacher does. On photographs it may be another share."
        )
    else:
        notes.append("So few questions were asked that no answer was kept apart: nothing is known of the student.")
    if found.stopped_early:
        notes.append(
            f"The rounds ended after {found.queries:,} of {found.planned:,} queries, since they no longer gained."
        )
    elif found.queries < found.planned:
        notes.append(f"The budget was spent after {found.queries:,} of {found.planned:,} queries that were planned.")
    return tuple(notes)
