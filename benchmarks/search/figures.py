"""What `benchmarks.search` writes: its figures, gathered.

They are measured in `bench.py`. Distances are L2 in input units; a query is one row.
"""

from dataclasses import dataclass

from benchmarks.search.speed import MemoryLayout

_FORMAT = 2


@dataclass(frozen=True)
class BareFigures:
    """How the bare teacher is fastest.

    Args:
        batch: rows a call.
        memory_layout: of network and images.
    """

    batch: int
    memory_layout: MemoryLayout


@dataclass(frozen=True)
class SearchFigures:
    """What one search reaches with one setting; None where nothing is known.

    Args:
        name: the method.
        setting: its options.
        queries_per_pair: mean of what the pairs really spent.
        ratio_to_whitebox_mean: mean distance over the white-box mean, both over the pairs that have the two of them.
        ratio_to_whitebox_median: median distance over the white-box median, over the same pairs.
        not_found: pairs without a crossing.
        below_whitebox: pairs whose distance is below the white-box one.
        rows_per_second: rows of the whole search, with the choice of the exemplars and the charging.
        rows_per_call: mean rows of a call to the teacher.
        bare_rows_per_second: of the bare teacher, measured in turns with this search.
        share_of_bare: rows of the search over those that the bare teacher decides in the same time.
        committee_queries: what the committee of a guided search was trained on besides the images, all pairs together;
            in no other figure.
        committee_seconds: time of the committee's own passes, all pairs together; in no speed.
    """

    name: str
    setting: str
    queries_per_pair: float
    ratio_to_whitebox_mean: float | None
    ratio_to_whitebox_median: float | None
    not_found: int
    below_whitebox: int
    rows_per_second: float | None
    rows_per_call: float | None
    bare_rows_per_second: float | None
    share_of_bare: float | None
    committee_queries: int | None = None
    committee_seconds: float | None = None


@dataclass(frozen=True)
class SearchBench:
    """All figures; distances are L2 in input units.

    Args:
        teacher: its name.
        images: name of the data set that pairs and exemplars are from.
        pairs: pairs compared.
        seed: of the draw of images and of the searches.
        device: where teacher and searches ran.
        threads: threads of the CPU that torch used.
        bare_rows_per_second: median of the bare teacher's speeds, measured in turns with the searches.
        bare: how the bare teacher is fastest.
        whitebox_mean: mean distance that the yardstick found.
        whitebox_median: median of the same.
        whitebox_not_found: pairs for which it found nothing; they are left out of all ratios.
        pool_queries: queries for the decisions of the images that exemplars are chosen from; in no other figure.
        searches: one entry for each search and setting.
        format: version of this file's form.
    """

    teacher: str
    images: str
    pairs: int
    seed: int
    device: str
    threads: int
    bare_rows_per_second: float
    bare: BareFigures
    whitebox_mean: float
    whitebox_median: float
    whitebox_not_found: int
    pool_queries: int
    searches: tuple[SearchFigures, ...]
    format: int = _FORMAT
