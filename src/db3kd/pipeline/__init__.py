"""The story, stage by stage and resumable: decisions, distances, students, report."""

from db3kd.pipeline.dataless import distill_without_data
from db3kd.pipeline.distilling import choose_labelling, distill
from db3kd.pipeline.story import Baseline, Budget, Distillation, Priming, Progress, SofteningRule, Story, silent
from db3kd.pipeline.telling import tell

__all__ = [
    "Baseline",
    "Budget",
    "Distillation",
    "Priming",
    "Progress",
    "SofteningRule",
    "Story",
    "choose_labelling",
    "distill",
    "distill_without_data",
    "silent",
    "tell",
]
