"""The commands `db3kd bench ...`, which measure what the README quotes.

What they measure lives in `db3kd.bench`.
"""

import typer

bench = typer.Typer(
    help="Measure the searches beside the bare teacher and the white-box minimum.", no_args_is_help=True
)
