"""How near searches come to the white-box minimum, for how many queries, and how fast."""

from benchmarks.search.bench import BenchSettings
from benchmarks.search.figures import SearchBench, SearchFigures
from benchmarks.search.search import measure_searches

__all__ = ["BenchSettings", "SearchBench", "SearchFigures", "measure_searches"]
