"""The typed plan: TOML in, objects out."""

from db3kd.plan.opening import open_story
from db3kd.plan.schema import Plan, Sections, parse_plan, parse_sections, read_plan

__all__ = ["Plan", "Sections", "open_story", "parse_plan", "parse_sections", "read_plan"]
