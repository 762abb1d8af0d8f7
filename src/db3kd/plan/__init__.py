"""The typed plan: what a user writes in, the objects of a run out. Every command is one; its keys are declared once."""

from db3kd.plan.opening import (
    open_budget,
    open_cluster,
    open_image_options,
    open_images,
    open_story,
    open_train_recipe,
)
from db3kd.plan.schema import Plan, parse_plan
from db3kd.plan.teachers import OpenedTeacher, open_teacher
from db3kd.plan.writing import Content, merged, read_plan, read_settings

__all__ = [
    "Content",
    "OpenedTeacher",
    "Plan",
    "merged",
    "open_budget",
    "open_cluster",
    "open_image_options",
    "open_images",
    "open_story",
    "open_teacher",
    "open_train_recipe",
    "parse_plan",
    "read_plan",
    "read_settings",
]
