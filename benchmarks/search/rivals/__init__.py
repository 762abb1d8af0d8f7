"""Public decision-based attacks, from the same points as our searches, at equal counted queries.

HopSkipJump is foolbox's, Sign-OPT that of the Adversarial Robustness Toolbox. Both live in an environment of their own
(`benchmarks.environment`), are run there pair by pair (`worker`), and every row that they ask is counted by us
(`recorder`). Called by `python -m benchmarks.search --rivals`.
"""

from benchmarks.search.rivals.measurement import RivalDistances, RivalSettings, measure_rivals

__all__ = ["RivalDistances", "RivalSettings", "measure_rivals"]
