"""Options, a plan and settings come to one content: options hold over the plan, and settings over both."""

from pathlib import Path

import pytest

from db3kd.cli.options import content_of, key_option
from db3kd.errors import PlanError
from db3kd.plan.listing import help_of


def test_options_hold_over_the_plan_and_settings_over_both(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('[teacher]\nuri = "onnx:a"\nnum_classes = 3\n[budget]\ntotal = 10\n[run]\nseed = 1\n')
    found = content_of(plan, ["budget.total=30"], teacher__uri="onnx:b", budget__total=20, images__source=None)
    assert found == {
        "teacher": {"uri": "onnx:b", "num_classes": 3},
        "budget": {"total": 30},
        "run": {"seed": 1},
    }


def test_what_nobody_says_is_not_there() -> None:
    assert content_of(None, None) == {}
    assert content_of(None, [], teacher__uri=None, run__seed=0) == {"run": {"seed": 0}}


def test_keys_of_one_section_stand_together() -> None:
    assert content_of(None, None, run__seed=2, run__bought_by="x") == {"run": {"seed": 2, "bought_by": "x"}}


def test_a_setting_without_a_value_is_refused() -> None:
    with pytest.raises(PlanError, match=r"section\.key=value"):
        content_of(None, ["seed"])


def test_the_help_of_an_option_is_that_of_its_key() -> None:
    option = key_option("budget.total", metavar="ROWS")
    assert (option.help, option.metavar, option.show_default) == (help_of("budget.total"), "ROWS", False)
