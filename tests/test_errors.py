"""The tree of errors is the one that is drawn, and what an error carries is there to be read."""

import inspect
import re

import pytest

from db3kd import errors
from db3kd.errors import BudgetExhausted, InputError, InvalidDecision, NotServed, Rejected, TeacherError, needing

TREE = {
    "Db3kdError": ("InputError", "StorageError", "BudgetExhausted", "ClusterLost", "TeacherError"),
    "InputError": ("PlanError", "DataError", "ImageError", "RunError"),
    "RunError": ("RunMismatch", "ArtifactError"),
    "TeacherError": ("MaybeServed", "NotServed", "Rejected", "InvalidDecision"),
}


def test_the_tree_is_the_one_that_is_drawn() -> None:
    found = {name: one for name, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, Exception)}
    parents = {child: parent for parent, children in TREE.items() for child in children}
    assert {name: one.__bases__[0].__name__ for name, one in found.items()} == {"Db3kdError": "Exception", **parents}
    drawn = re.findall(r"\b[A-Z]\w+\b", (errors.__doc__ or "").partition("Each message")[0].partition("tree.")[2])
    assert sorted(drawn) == sorted(found)


def test_the_end_of_a_budget_says_its_numbers() -> None:
    error = BudgetExhausted("answers", 1_200, 9_000, 10_000)
    assert (error.stage, error.wanted, error.spent, error.limit) == ("answers", 1_200, 9_000, 10_000)
    assert "stage 'answers' wanted 1,200 more queries, but 9,000 of 10,000 are spent" in str(error)


def test_what_a_teacher_said_beside_its_message_is_kept() -> None:
    assert NotServed("busy").retry_after is None
    assert NotServed("busy", retry_after=2.5).retry_after == 2.5
    rejected = Rejected("no", code="content_filter", status=400)
    assert (str(rejected), rejected.code, rejected.status) == ("no", "content_filter", 400)
    assert (Rejected("no").code, Rejected("no").status) == ("", 0)
    assert InvalidDecision("what", rows=[3, 5]).rows == (3, 5)
    assert InvalidDecision("what").rows == ()
    with pytest.raises(TeacherError, match="what"):
        raise InvalidDecision("what")


def test_what_is_not_installed_is_named_with_its_extra() -> None:
    told = "a page needs the extra report, and jinja2 is not installed; nothing was asked: pip install 'db3kd[report]'"
    with pytest.raises(InputError) as caught, needing("report", "a page"):
        raise ImportError(name="jinja2")
    assert str(caught.value) == told
    with pytest.raises(InputError, match="nothing was drawn"), needing("report", "a page", outcome="nothing was drawn"):
        raise ImportError(name="jinja2")
