"""Public attacks that copy a classifier: CopycatCNN and KnockoffNets of the Adversarial Robustness Toolbox (ART).

They live in an environment of their own (`benchmarks.environment`) and run there (`worker`). The pool, the student's
network and its initial weights are those of our own students. Decisions come from this process, row by row, and each is
charged (`measurement`). Called by `python -m benchmarks.frontier`.
"""

from benchmarks.extraction.measurement import RIVALS, Extract

__all__ = ["RIVALS", "Extract"]
