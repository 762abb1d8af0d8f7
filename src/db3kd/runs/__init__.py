"""The run directory: what was asked for, what was bought and what was made of it, safe against a kill at any moment.

A stage is done when its file is there; nothing else says so. This package stores bytes and knows no tensor library:
other modules turn things into bytes and back. The pipeline and the command line open runs.
"""

from db3kd.runs.files import write_atomically
from db3kd.runs.journal import Journal
from db3kd.runs.run import Run
from db3kd.runs.shards import Shards

__all__ = ["Journal", "Run", "Shards", "write_atomically"]
