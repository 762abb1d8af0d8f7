"""A cluster is a value: what it may be is checked at once, without Ray."""

import pytest

from db3kd.errors import PlanError
from db3kd.scaling import Cluster


def test_two_replicas_on_this_machine_are_usual_and_none_are_allowed() -> None:
    assert Cluster() == Cluster("local", 2, 1.0, 0.0, 300.0, None)
    assert Cluster("auto", replicas=0, cpus=0.0, gpus=0.5).replicas == 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"replicas": -1}, "replicas must be a whole number from 0, got -1"),
        ({"replicas": 1.5}, "replicas must be"),
        ({"cpus": -0.1}, "cpus must be"),
        ({"gpus": -1.0}, "gpus must be"),
        ({"patience": 0.0}, "patience must be a number above 0"),
        ({"address": 5}, "address must be"),
        ({"opening": "teacher"}, "opening must be"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(PlanError, match=told):
        Cluster(**wrong)  # type: ignore[arg-type]  # wrong on purpose
