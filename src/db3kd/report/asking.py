"""Tables and sentences on what the teacher was asked, on repulsion, and on how far the student can be trusted.

Laid out by the page and the command line. The tables of every report are in `tables`.
"""

from collections.abc import Sequence

from db3kd.augmentation import TRANSFORMS
from db3kd.evaluation import interval
from db3kd.report.figures import AskingFigures, RepulsionFigures
from db3kd.report.tables import UNKNOWN, Column, Table, class_label, count, percent, share, table_of

_MEANINGS = {way.name: way.meaning for way in TRANSFORMS}
_NAMED = 20
"""Most classes that a sentence names."""
_ORIGINS = "before the stroke how an image was found or changed, after it where it comes from"
_POOLS = {
    "images": "the images at hand",
    "priors": "images drawn from nothing",
    "surrogates": "images made of pictures at hand",
}
_CHOICES = {
    "random": "picked at random",
    "margin": "chosen where the committee can hardly tell two classes apart",
    "disagreement": "chosen where the committee disagrees",
}


def asked_about(found: AskingFigures) -> str:
    """Say what images the questions were about, and how they were chosen; names that are not ours stand as they are."""
    pools = " and ".join(_POOLS.get(name, name) for name in found.pool.split(" and "))
    return f"{pools}, {_CHOICES.get(found.acquisition, f'chosen by {found.acquisition}')}"


def asking_table(found: AskingFigures | None, class_names: tuple[str, ...] = ()) -> Table:
    """Show what the teacher answered, and how far the student can be trusted where answers were set aside."""
    if found is None:
        return Table()
    columns = (
        Column("class", numeric=False),
        Column("answers", meaning="images that the teacher put in the class"),
        Column("share"),
        Column("set aside", meaning="answers that no training saw"),
        Column("agreement", meaning="share of those that the student answers as the teacher did"),
    )
    counted = [(class_label(class_names, label), answers) for label, answers in enumerate(found.class_histogram)]
    counted += [("no class", found.abstained)] * bool(found.abstained)
    rows = [(name, count(answers), share(answers, found.queries)) for name, answers in counted]
    rows.append(("all", count(found.queries), ""))
    if found.trust is None or not found.trust.images:
        return Table(columns[:3], tuple(rows))
    known = [(count(score.decided), percent(score.agreement)) for score in found.trust.classes]
    for label in found.never_decided:
        known[label] = ("", "never decided: unknown")
    known += [("", "")] * bool(found.abstained) + [(count(found.trust.images), percent(found.trust.agreement))]
    return Table(columns, tuple((*row, *trust) for row, trust in zip(rows, known, strict=True)))


def origin_table(found: AskingFigures | None) -> Table:
    """Show the answers of each origin and the student's agreement on those set aside, where origins differ."""
    if found is None or len(found.by_origin) < 2:
        return Table()
    scores = {} if found.trust is None else {score.origin: score for score in found.trust.origins}
    return table_of(
        [(origin, answers, scores.get(origin)) for origin, answers in found.by_origin.items()],
        (Column("origin of the images", numeric=False, meaning=_ORIGINS), lambda one: one[0]),
        (Column("answers"), lambda one: count(one[1])),
        (Column("set aside"), lambda one: count(one[2].images if one[2] else 0)),
        (Column("agreement"), lambda one: percent(one[2].agreement if one[2] else None)),
    )


def gain_table(found: AskingFigures | None) -> Table:
    """Show how the committee's agreement grew with the answers, a row per round."""
    return table_of(
        () if found is None else found.gains,
        (Column("queries in all"), lambda one: count(one.queries)),
        (Column("set aside"), lambda one: count(one.images)),
        (Column("agreement before"), lambda one: percent(one.before)),
        (Column("after"), lambda one: percent(one.after)),
        (
            Column("interval", meaning="of the agreement after: it holds the true share 19 times of 20"),
            lambda one: " to ".join(map(percent, interval(one.after, one.images))),
        ),
        (
            Column("gain", meaning="in points, with its standard error"),
            lambda one: f"{100 * (one.after - one.before):+.2f} ± {100 * one.error:.2f}",
        ),
        (
            Column("due to", numeric=False, meaning="more answers alone, or also networks that learned for longer"),
            lambda one: "answers and longer learning" if one.learned_longer else "answers",
        ),
    )


def transform_table(found: AskingFigures | None) -> Table:
    """Show which transforms the teacher minds, and how far networks of ours are shown them."""
    return table_of(
        () if found is None else found.transforms,
        (
            Column("transform", numeric=False, meaning="of an image that was asked about"),
            lambda one: f"{one.transform} ({_MEANINGS.get(one.transform, '')})",
        ),
        (Column("asked"), lambda one: count(one.asked)),
        (
            Column("decision stayed", meaning="a transform that was not asked about is used with care"),
            lambda one: share(one.stayed, one.asked) if one.asked else "not asked",
        ),
        (
            Column("in weak views", meaning="the strongest change, in the unit of the transform"),
            lambda one: f"{one.weak:.2g}" if one.weak else "no",
        ),
        (Column("in strong views"), lambda one: f"{one.strong:.2g}" if one.strong else "no"),
    )


def trust_notes(
    found: AskingFigures | None, class_names: tuple[str, ...] = (), *, taught: bool = True
) -> tuple[str, ...]:
    """Say which classes never came, how far the student can be trusted where there is one, and why asking ended."""
    if found is None:
        return ()
    notes = []
    if found.never_decided:
        notes.append(
            f"In {found.queries:,} queries the teacher never decided for class "
            f"{_names(found.never_decided, class_names)}: the student cannot know it. Ask more, or ask about other "
            "images."
        )
    if found.abstained:
        notes.append(
            f"The teacher gave no class in {found.abstained:,} of {found.queries:,} queries "
            f"({percent(found.abstained / found.queries)}): they were paid, and no student learns from them."
        )
    trust = found.trust
    if trust is not None and trust.agreement is not None:
        notes.append(
            f"The student agrees with the teacher on {percent(trust.agreement)} of {trust.images:,} answers that no "
            f"training saw (95% interval: {percent(trust.lower)} to {percent(trust.upper)}), and in the mean of the "
            f"classes on {percent(trust.mean_over_classes)}. On images of another kind the share may differ."
        )
    elif taught:
        notes.append("No answer was set aside, so only held-out images can tell how far to trust the student.")
    if found.ended == "flat":
        notes.append(
            f"Asking stopped after {found.queries:,} of {found.planned:,} planned queries, because the committee no "
            "longer gained from them."
        )
    elif found.ended == "agreement":
        notes.append(
            f"Asking stopped after {found.queries:,} of {found.planned:,} planned queries, because the committee "
            "surely agrees with the teacher as often as was wanted."
        )
    elif found.ended == "budget":
        notes.append(f"The budget was spent after {found.queries:,} of {found.planned:,} planned queries.")
    if found.after_1000_more is not None and found.gains:
        notes.append(
            "After 1,000 more questions about images of the same kind the committee would agree on about "
            f"{percent(found.after_1000_more)}, by extrapolation from the rounds; it is "
            f"{percent(found.gains[-1].after)} now."
        )
    return tuple(notes)


def repulsion_table(found: RepulsionFigures | None, class_names: tuple[str, ...] = ()) -> Table:
    """Show how many images were made by repulsion, a row per class and one for all."""
    if found is None:
        return Table()
    unknown = (0,) * len(found.images_by_class)
    counts = (found.noise_by_class or unknown, found.starts_by_class or unknown, found.images_by_class)
    names = [class_label(class_names, label) for label in range(len(unknown))]
    cells = [[*map(count, of_class), count(sum(of_class))] for of_class in counts]
    columns = (Column("class", numeric=False), *map(Column, ("noise", "pushed", "images")))
    return Table(columns, tuple(zip([*names, "all"], *cells, strict=True)))


def repulsion_notes(found: RepulsionFigures | None, class_names: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Say which classes have no image, so that a student cannot know them; nothing where all have some."""
    if found is None or not found.missing:
        return ()
    return (
        f"The teacher put no noise in class {_names(found.missing, class_names)}: no image of it was made, and a "
        "student cannot know it.",
    )


def step_table(found: RepulsionFigures | None) -> Table:
    """Show how far away the boundary was during the pushes, for every fifth step and the last."""
    if found is None:
        return Table()
    steps = [(step, *both) for step, both in enumerate(zip(found.distances, found.pushes, strict=True))]
    return table_of(
        [one for one in steps if one[0] % 5 == 0 or one is steps[-1]],
        (Column("pushes before"), lambda one: str(one[0])),
        (
            Column("mean distance", meaning="to the nearest boundary that was found, in input units"),
            lambda one: UNKNOWN if one[1] is None else f"{one[1]:.3g}",
        ),
        (
            Column(
                "mean push",
                meaning="how far the images then moved; less than a full step where a class would change",
            ),
            lambda one: f"{one[2]:.3g}",
        ),
    )


def _names(labels: Sequence[int], class_names: tuple[str, ...]) -> str:
    named = ", ".join(class_label(class_names, label) for label in labels[:_NAMED])
    return named if len(labels) <= _NAMED else f"{named} and {len(labels) - _NAMED:,} others"
