"""The run directory: what was asked for, what was bought and what was made of it, safe against a kill at any moment.

`Run` is the directory, `Keeper` reads and writes what stages make in it. A stage is done when its files are there;
nothing else says so.
"""

from db3kd.runs.keeper import Keeper
from db3kd.runs.notebook import Notebook
from db3kd.runs.replay import Index, RecordedTeacher
from db3kd.runs.run import Run, existing
from db3kd.runs.seconds import seconds_until_now, spent_seconds, timed
from db3kd.runs.stage import Kept, Key, Outline, Part, Stage, Standing, key_of, numbered_part

__all__ = [
    "Index",
    "Keeper",
    "Kept",
    "Key",
    "Notebook",
    "Outline",
    "Part",
    "RecordedTeacher",
    "Run",
    "Stage",
    "Standing",
    "existing",
    "key_of",
    "numbered_part",
    "seconds_until_now",
    "spent_seconds",
    "timed",
]
