"""The typed plan: TOML in, objects out."""

from db3kd.plan.opening import open_story
from db3kd.plan.schema import Plan, parse_plan, read_plan

__all__ = ["Plan", "open_story", "parse_plan", "read_plan"]
