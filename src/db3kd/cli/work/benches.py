"""The work of `db3kd bench search`."""

from contextlib import nullcontext
from pathlib import Path

from db3kd.bench import BenchSettings, SearchBench, SearchFigures, measure_searches
from db3kd.bench.rivals import RivalSettings, rivals_python
from db3kd.cli.display import print_pairs, remark
from db3kd.cli.work.tables import print_table
from db3kd.errors import InputError
from db3kd.models import weights
from db3kd.pipeline import Priming
from db3kd.plan.opening import open_images
from db3kd.plan.schema import ImagesSection
from db3kd.plan.teacher_keys import TeacherSection
from db3kd.plan.teachers import open_teacher
from db3kd.report.tables import UNKNOWN, Column, Table
from db3kd.runs import Run, write_atomically

_COLUMNS = (
    Column("search", numeric=False),
    Column("setting", numeric=False),
    Column("queries/pair"),
    Column("mean/white box"),
    Column("median/white box"),
    Column("not found"),
    Column("rows/s"),
    Column("of bare"),
    Column("rows/call"),
)


def measure(
    uri: str,
    source: str,
    file: Path | None,
    *,
    limit: int | None,
    pairs: int,
    seed: int,
    max_batch: int,
    primers: int,
    primer_architecture: str,
    folder: Path | None,
    rivals: bool,
    rival_pairs: int | None,
    device: str,
) -> None:
    """Measure the searches, print the table, write the file.

    Args:
        uri: of the teacher, which must be a network of ours.
        source: of pairs and exemplars.
        file: gets all figures as JSON.
        limit: take that many images of the source.
        pairs: pairs to compare distances on.
        seed: of all random choices.
        max_batch: rows a call.
        primers: networks that guide the guided search.
        primer_architecture: what they are.
        folder: of a run that keeps them; None for a temporary one.
        rivals: measure public attacks as well, and install them where they are not yet.
        rival_pairs: attack so many of the pairs by them; None means all.
        device: where teacher and searches run.
    """
    # Told now and not after minutes of measuring.
    if file is not None and not file.absolute().parent.is_dir():
        raise InputError(f"{file} cannot be written: there is no folder {file.parent}; nothing was measured: make it")
    if not uri.startswith("torch:"):
        raise InputError(
            f"the white-box minimum needs the network itself, torch:FILE or torch:ARCHITECTURE@FILE, got {uri!r}; "
            "nothing was measured"
        )
    if rival_pairs is not None and not rivals:
        raise InputError("--rival-pairs says how many pairs --rivals attack; nothing was measured: give both")
    # What is wrong with the URI is the plan's to say.
    open_teacher(TeacherSection(uri=uri), device=device)
    network = Path(uri.removeprefix("torch:").rpartition("@")[2])
    module, header = weights.from_file(network)
    settings = BenchSettings(
        pairs=pairs,
        seed=seed,
        max_batch=max_batch,
        priming=Priming(architecture=primer_architecture, networks=primers, seed=seed),
        device=device,
        rivals=RivalSettings(rivals_python(), network, pairs=rival_pairs) if rivals else None,
    )
    with nullcontext() if folder is None else Run(folder) as run:
        figures = measure_searches(
            module,
            open_images(ImagesSection(source=source, limit=limit, seed=seed)),
            teacher=uri,
            num_classes=int(header["num_classes"]),
            settings=settings,
            run=run,
            on_search=lambda figure: remark(f"{figure.name}, {figure.setting}: measured"),
        )
    if file is not None:
        write_atomically(file, figures.to_json())
    _show(figures)


def _show(figures: SearchBench) -> None:
    print_table(
        Table(_COLUMNS, tuple(_row(figure) for figure in figures.searches)),
        title=f"{figures.teacher}: {figures.pairs} pairs of {figures.images}",
    )
    print_pairs(
        {
            "bare teacher": f"{figures.bare_rows_per_second:,.0f} rows/s in batches of {figures.bare.batch}, "
            f"{figures.bare.memory_layout}",
            "white-box minimum": f"mean {figures.whitebox_mean:.3f}, median {figures.whitebox_median:.3f}, "
            f"{figures.whitebox_not_found} not found",
            "for the exemplars": f"{figures.pool_queries:,} queries",
        }
    )


def _row(figure: SearchFigures) -> tuple[str, ...]:
    return (
        figure.name,
        figure.setting,
        f"{figure.queries_per_pair:,.1f}",
        _number(figure.ratio_to_whitebox_mean, ".2f"),
        _number(figure.ratio_to_whitebox_median, ".2f"),
        f"{figure.not_found:,}",
        _number(figure.rows_per_second, ",.0f"),
        _number(figure.share_of_bare, ".2f"),
        _number(figure.rows_per_call, ".1f"),
    )


def _number(value: float | None, form: str) -> str:
    return UNKNOWN if value is None else format(value, form)
