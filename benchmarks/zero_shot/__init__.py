"""How good students are that never saw an image: methods without data, side by side at equal calls."""

from benchmarks.zero_shot.zero_shot import ZeroShot, ZeroShotMethod, ZeroShotPlan, measure_zero_shot

__all__ = ["ZeroShot", "ZeroShotMethod", "ZeroShotPlan", "measure_zero_shot"]
