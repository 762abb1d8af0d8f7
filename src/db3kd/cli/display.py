"""What the user sees: figures on stdout, progress and remarks on stderr. Knows nothing that needs torch."""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


def print_json(figures: object) -> None:
    """Print figures as JSON, and nothing else, on stdout."""
    print(json.dumps(figures, indent=2, allow_nan=False))


def print_pairs(pairs: Mapping[str, str]) -> None:
    """Print figures with their names on stdout, a line each."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        print(f"{name:{width}}  {value}")


def remark(text: str) -> None:
    """Say on stderr what the user should know or do next."""
    print(f"db3kd: {text}", file=sys.stderr)


@contextmanager
def telling_assumptions() -> Iterator[None]:
    """Tell on stderr what a teacher's adapter assumes of it, and what a run warns of, while the work inside goes on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("db3kd: %(message)s"))
    loggers = {logging.getLogger(name): logging.INFO for name in ("db3kd.teachers", "db3kd.pipeline.ask_pool")}
    loggers |= {logging.getLogger(f"db3kd.{room}"): logging.WARNING for room in ("data", "runs")}
    before = {logger: logger.level for logger in loggers}
    for logger, level in loggers.items():
        logger.addHandler(handler)
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, level in before.items():
            logger.removeHandler(handler)
            logger.setLevel(level)
