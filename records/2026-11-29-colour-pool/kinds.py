"""Committees of networks that are named, on one pool: kinds.py KIND[,KIND] and the options of `benchmarks.frontier`."""

import sys

from benchmarks import command, frontier

KINDS = sys.argv.pop(1).split(",")
frontier.METHODS = {kind: {"changes": {"committee": {"architecture": kind}}} for kind in KINDS}
frontier._NAMES = tuple(KINDS)
command.run(frontier.frontier, "frontier")
