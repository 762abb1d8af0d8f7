"""Options that several commands share, with their help out of the plan's keys, and what they come to together."""

from pathlib import Path
from typing import Annotated, Any

import typer

from db3kd.names import TRACKERS
from db3kd.plan import Content, merged, read_plan, read_settings
from db3kd.plan.listing import help_of


def key_option(key: str, *more: str, **settings: Any) -> Any:
    """Make an option with the help of a key of the plan."""
    return typer.Option(*more, help=help_of(key), show_default=False, **settings)


TEACHER = Annotated[str | None, key_option("teacher.uri", metavar="URI")]
IMAGES = Annotated[str | None, key_option("images.source", metavar="SOURCE")]
HELD_OUT = Annotated[str | None, key_option("held_out.source", metavar="SOURCE")]
STUDENT = Annotated[str | None, key_option("student.architecture")]
SEARCH = Annotated[str | None, key_option("search.name")]
POOL = Annotated[str | None, key_option("pool.kind")]
BUDGET = Annotated[int | None, key_option("budget.total")]
SEED = Annotated[int | None, key_option("run.seed")]
RUN = Annotated[Path, typer.Option(help="Directory that remembers the run; the same command goes on there.")]
PLAN = Annotated[Path | None, typer.Option(help="A plan in TOML; options and --set hold over it.")]
_ANY_KEY = "Any key of the plan: section.key=value; may be repeated. `db3kd plan` lists them."
SET = Annotated[list[str] | None, typer.Option("--set", help=_ANY_KEY)]
DEVICE = Annotated[str, typer.Option(help="Where networks and searches run: cpu, cuda or cuda:N.")]
_TRACKERS = f"Also send figures of trainings and rounds to {', '.join(TRACKERS)}, or to package.module:factory."
TRACK = Annotated[str | None, typer.Option(help=_TRACKERS, metavar="NAME", show_default=False)]
_CLUSTER = "Address of a Ray cluster; auto for that of this machine; local starts one that ends with the command."
RAY = Annotated[str | None, typer.Option("--ray", help=_CLUSTER, metavar="ADDRESS", show_default=False)]
JSON = Annotated[bool, typer.Option("--json", help="Print figures as JSON, and nothing else.")]
DRY_RUN = Annotated[bool, typer.Option("--dry-run", help="Tell queries, time and money beforehand; spend nothing.")]
MEASURE = Annotated[bool, typer.Option(help="With --dry-run: time the teacher by a few calls, outside the budget.")]
FOLDER = Annotated[Path, typer.Argument(help="Directory of a run.", metavar="DIR")]


def content_of(plan: Path | None, settings: list[str] | None, **options: object) -> Content:
    """Put a plan, options and settings together."""
    written: Content = {}
    for key, value in options.items():
        if value is not None:
            section, _, name = key.partition("__")
            written = merged(written, {section: {name: value}})
    return merged({} if plan is None else read_plan(plan), written, read_settings(settings or []))
