"""Public decision-based attacks, measured beside our searches from the same points at equal counted queries.

HopSkipJump is foolbox's, Sign-OPT that of the Adversarial Robustness Toolbox. Both live in an environment of their own
(`environment`), are run there pair by pair (`worker`), and every row that they ask is counted by us (`recorder`).
Called by `db3kd bench search --rivals`.
"""

from db3kd.bench.rivals.environment import rivals_python
from db3kd.bench.rivals.measurement import RivalDistances, RivalSettings, measure_rivals

__all__ = ["RivalDistances", "RivalSettings", "measure_rivals", "rivals_python"]
