"""The measurements that the project's pages quote; each command of `db3kd bench` is one of them."""

from db3kd.bench.figures import SearchBench, SearchFigures
from db3kd.bench.search import BenchSettings, measure_searches

__all__ = ["BenchSettings", "SearchBench", "SearchFigures", "measure_searches"]
