"""The oracle checks before it charges, charges before it sends, and never hands on what is no decision."""

import threading
from collections.abc import Callable
from concurrent import futures
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from db3kd.errors import BudgetExhausted, ImageError, InvalidDecision, MaybeServed, NotServed, TeacherError
from db3kd.ledger import Ledger, Limits
from db3kd.oracle import Oracle, sizes_of_calls
from db3kd.teachers import Service, Teacher
from db3kd.tensors import Float, Int, Tensor
from known_teachers import Counting, Failing, FailsBeside, Flaky, HalfSpace, Sectors, draw_images

SHAPE = (1, 4, 4)
IMAGES = draw_images(Sectors(SHAPE), 300)


class _Records:
    """Keeps the size of every batch that is sent, and how much was on the ledger at that moment."""

    def __init__(self, teacher: Teacher, ledger: Ledger) -> None:
        self.spec, self._teacher, self._ledger = teacher.spec, teacher, ledger
        self.batches: list[int] = []
        self.charged: list[int] = []

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Tensor:
        self.batches.append(len(images))
        self.charged.append(self._ledger.statement().total)
        return self._teacher(images)


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(0, 300), max_batch=st.integers(1, 130))
def test_batches_are_full_but_for_the_first_rows_and_charged_before_they_are_sent(rows: int, max_batch: int) -> None:
    teacher = Sectors(SHAPE)
    teacher.spec = replace(teacher.spec, max_batch=max_batch)
    with Ledger(None) as ledger, ledger.account("label") as account:
        records = _Records(teacher, ledger)
        oracle = Oracle(records, account)
        decisions = oracle(IMAGES[:rows])
        assert torch.equal(decisions, teacher(IMAGES[:rows]))
        assert decisions.dtype == torch.int64
        full, rest = divmod(rows, max_batch)
        whole = [max_batch] * full + [rest] * (rest > 0)
        # The first row of all goes alone, two more after it, and then the others of their batch.
        first = whole[0] if rows else 0
        assert (
            records.batches == [size for size in (min(first, 1), min(first - 1, 2), first - 3) if size > 0] + whole[1:]
        )
        assert all(charged >= sum(records.batches[: call + 1]) for call, charged in enumerate(records.charged))
        assert account.spent == oracle.usage.rows == rows
        assert oracle.usage.calls == len(records.batches)
        assert oracle.usage.repeated == 0
        records.batches.clear()
        oracle(IMAGES[:rows])
        assert records.batches == whole


@pytest.mark.parametrize("in_flight", [1, 3])
def test_a_teacher_of_a_wrong_kind_costs_one_query_however_much_it_was_asked(in_flight: int) -> None:
    class Scores(Sectors):
        def __call__(self, images: Float[Tensor, "b c h w"]) -> Tensor:
            return torch.zeros(len(images), 5)

    counting = Counting(Scores(SHAPE))
    counting.spec = replace(counting.spec, service=Service(in_flight=in_flight))
    with Ledger(None) as ledger:
        with ledger.account("label", limits=Limits(stage=300)) as account:
            with pytest.raises(InvalidDecision, match=r"expected 1 integers, one class per row.*\[1, 5\]"):
                Oracle(counting, account)(IMAGES)
            assert counting.rows == counting.calls == account.spent == 1
            # Rows that were not sent are there to be spent.
            Oracle(Sectors(SHAPE), account)(IMAGES[:299])
        assert ledger.statement().total == 300


@pytest.mark.parametrize("answer", [lambda rows: torch.zeros(1), lambda rows: torch.tensor(1)])
def test_a_kind_that_only_several_rows_show_costs_three_queries(answer: Callable[[int], Tensor]) -> None:
    class OfOneRow(Sectors):
        def __call__(self, images: Float[Tensor, "b c h w"]) -> Tensor:
            return super().__call__(images) if len(images) == 1 else answer(len(images))

    with Ledger(None) as ledger, ledger.account("label", limits=Limits(stage=300)) as account:
        with pytest.raises(InvalidDecision, match="expected 2 integers"):
            Oracle(OfOneRow(SHAPE), account)(IMAGES)
        assert account.spent == 3


@pytest.mark.parametrize("limit", [300, 250])
@pytest.mark.parametrize("in_flight", [1, 3])
def test_short_calls_hold_several_batches_and_change_no_answer_or_cost(in_flight: int, limit: int) -> None:
    teacher = Sectors(SHAPE)
    service = Service(in_flight=in_flight, seconds_of_a_call=5.0)
    teacher.spec = replace(teacher.spec, max_batch=8, service=service)
    answered: list[Tensor] = []
    with Ledger(None) as ledger, ledger.account("label", limits=Limits(run=limit)) as account:
        records = _Records(teacher, ledger)
        with nullcontext() if limit == 300 else pytest.raises(BudgetExhausted):
            answered += Oracle(records, account).answers(IMAGES)
        assert account.spent == (300 if limit == 300 else 248)
    # Batch by batch, also where one call has brought several; where the budget ends, whole ones.
    assert {len(some) for some in answered[3:-1]} == {8}
    assert torch.equal(torch.cat(answered), Sectors(SHAPE)(IMAGES[: account.spent]))
    # What is left is shared out among as many calls as may be under way.
    assert len(records.batches) == 3 + in_flight


def test_many_short_calls_at_once_give_each_as_many_batches_in_all() -> None:
    # A batch takes a second, so that three go in a call.
    sizes = sizes_of_calls(30, Service(in_flight=4, seconds_of_a_call=3.5), lambda: 1.0)
    # Twice three for each, and what is left as evenly as it goes: eight batches are the most that one has.
    assert list(sizes) == [3] * 8 + [2, 2, 1, 1]


def test_whoever_stops_after_the_first_row_has_paid_for_no_other() -> None:
    counting = Counting(Sectors(SHAPE))
    with Ledger(None) as ledger, ledger.account("label") as account:
        answers = Oracle(counting, account).answers(IMAGES)
        assert len(next(answers)) == 1
        answers.close()  # type: ignore[attr-defined]  # a generator
        assert counting.rows == account.spent == 1


@pytest.mark.parametrize("answer", [None, 3, [0], "cat", np.zeros(1, dtype=np.int64), object()])
def test_an_answer_that_is_no_tensor_is_no_decision(answer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    class Answers(Sectors):
        def __call__(self, images: Tensor) -> Any:
            return answer

    with Ledger(None) as ledger, ledger.account("label") as account:
        with pytest.raises(InvalidDecision, match=f"{type(answer).__name__}, which is no tensor"):
            Oracle(Answers(SHAPE), account)(IMAGES)
        assert account.spent == 1


@pytest.mark.parametrize(
    ("images", "named"),
    [
        (torch.rand(3, 1, 4, 5), r"shape \[n, 1, 4, 4\].*\[6, 1, 4, 5\]"),
        (torch.rand(3, 3, 4, 4), r"\[6, 3, 4, 4\]"),
        (torch.rand(3, 1, 4, 4, dtype=torch.float64), "float32.*float64"),
        (torch.full((3, 1, 4, 4), torch.nan), "nan"),
        (torch.full((3, 1, 4, 4), 1.0 + 1e-6), r"from 0\.0 to 1\.0"),
        (torch.full((3, 1, 4, 4), -1e-6), r"from 0\.0 to 1\.0"),
        (torch.full((3, 1, 4, 4), torch.inf), "inf"),
    ],
    ids=["height", "channels", "dtype", "nan", "above", "below", "infinite"],
)
def test_images_that_do_not_fit_are_refused_before_anything_is_charged(
    images: Float[Tensor, "n c h w"], named: str
) -> None:
    counting = Counting(Sectors(SHAPE))
    with Ledger(None) as ledger:
        with ledger.account("label") as account, pytest.raises(ImageError, match=named):
            Oracle(counting, account)(torch.cat([images, images]))
        assert counting.calls == 0
        assert ledger.statement().total == 0


def test_one_wrong_pixel_among_many_batches_is_found_before_the_first_is_sent() -> None:
    counting, images = Counting(Sectors(SHAPE)), IMAGES.clone()
    images[-1, 0, 3, 3] = torch.nan
    with Ledger(None) as ledger, ledger.account("label") as account:
        with pytest.raises(ImageError):
            Oracle(counting, account)(images)
        assert counting.calls == account.spent == 0


def test_without_the_checks_of_the_tests_the_oracle_itself_refuses_other_axes_and_types(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)

    class Answers(Sectors):
        answer = torch.zeros(2, dtype=torch.int64)

        def __call__(self, images: Tensor) -> Tensor:
            return self.answer

    teacher = Answers(SHAPE)
    with Ledger(None) as ledger, ledger.account("label") as account:
        oracle = Oracle(teacher, account)
        for images in (torch.rand(1, 4, 4), torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.rand(16)):
            with pytest.raises(ImageError):
                oracle(images)
        assert account.spent == 0
        for answer in (torch.zeros(2, 3), torch.zeros(2, 1, dtype=torch.int64), torch.tensor(1), torch.zeros(2)):
            teacher.answer = answer
            with pytest.raises(InvalidDecision):
                oracle(torch.rand(2, 1, 4, 4))


def test_an_exhausted_budget_stops_before_the_batch_is_sent() -> None:
    counting = Counting(Sectors(SHAPE))
    with Ledger(None) as ledger:
        with ledger.account("label", limits=Limits(run=299)) as account:
            with pytest.raises(BudgetExhausted) as caught:
                Oracle(counting, account)(IMAGES)
            assert (caught.value.stage, caught.value.limit) == ("label", 299)
            # 128 and 128 fit; the last 44 would pass the limit by one.
            assert counting.rows == account.spent == 256
        assert ledger.statement().total == 256


@settings(max_examples=40, deadline=None)
@given(
    maybe=st.frozensets(st.integers(1, 12), max_size=6),
    surely=st.frozensets(st.integers(1, 12), max_size=6),
    attempts=st.integers(1, 6),
)
def test_a_lost_call_that_may_have_been_served_is_charged_again_and_one_that_was_not_is_not(
    maybe: frozenset[int], surely: frozenset[int], attempts: int
) -> None:
    seen = Counting(Flaky(Sectors(SHAPE), maybe_served=maybe, not_served=surely - maybe))
    with Ledger(None) as ledger:
        with ledger.account("label", block=64) as account:
            oracle = Oracle(seen, account, attempts=attempts, pause=0.0)
            try:
                decisions = oracle(IMAGES)
            except TeacherError:
                decisions = None
            charged = account.spent
        assert ledger.statement().total == charged
        assert sum(ledger.statement().charged_again.values()) == oracle.usage.repeated
    lost = seen.calls - oracle.usage.calls
    surely_lost = len({call for call in surely - maybe if call <= seen.calls})
    if decisions is None:
        assert lost >= attempts
        # What the last attempt may have been served stays charged, and the rows of the failed batch too.
        assert charged >= oracle.usage.rows + oracle.usage.repeated
    else:
        assert torch.equal(decisions, Sectors(SHAPE)(IMAGES))
        assert charged == oracle.usage.rows + oracle.usage.repeated == 300 + oracle.usage.repeated
        assert (oracle.usage.repeated > 0) == (lost > surely_lost)
    # All that reached the teacher is on the ledger, but for what it surely did not serve.
    assert charged >= seen.rows - 128 * surely_lost
    assert charged <= seen.rows


def test_the_last_attempt_is_the_last() -> None:
    flaky = Flaky(Sectors(SHAPE), maybe_served=frozenset(range(1, 100)))
    with Ledger(None) as ledger, ledger.account("label") as account:
        with pytest.raises(TeacherError, match=r"10 rows in 3 attempts.*call 3 timed out") as caught:
            Oracle(flaky, account, attempts=3, pause=0.0, known=True)(IMAGES[:10])
        assert type(caught.value) is TeacherError
        assert flaky.calls == 3
        assert account.spent == 30


def test_a_retry_that_the_budget_does_not_allow_is_not_sent() -> None:
    flaky = Flaky(Sectors(SHAPE), maybe_served=frozenset({1}))
    with Ledger(None) as ledger, ledger.account("label", limits=Limits(stage=15)) as account:
        with pytest.raises(BudgetExhausted):
            Oracle(flaky, account, pause=0.0, known=True)(IMAGES[:10])
        assert flaky.calls == 1
        assert account.spent == 10


def test_another_error_of_the_teacher_is_not_retried() -> None:
    failing = Failing(Sectors(SHAPE), 1, lambda: TeacherError("gone for good"))
    with Ledger(None) as ledger, ledger.account("label") as account:
        with pytest.raises(TeacherError, match="gone for good"):
            Oracle(failing, account, known=True)(IMAGES[:10])
        assert (failing.calls, account.spent) == (1, 10)


@pytest.mark.parametrize(
    "answer",
    [
        torch.zeros(9, dtype=torch.int64),
        torch.zeros(11, dtype=torch.int64),
        torch.zeros(10, 1, dtype=torch.int64),
        torch.zeros(10),
        torch.zeros(10, 5),
        torch.zeros(10, dtype=torch.complex64),
        torch.full((10,), 5),
        torch.tensor([0] * 9 + [-1]),
    ],
    ids=["short", "long", "column", "float", "probabilities", "complex", "too high", "negative"],
)
def test_an_answer_that_is_no_class_per_row_is_dropped_and_stays_charged(answer: Tensor) -> None:
    class Answers(Sectors):
        def __call__(self, images: Float[Tensor, "b c h w"]) -> Tensor:
            return answer

    with Ledger(None) as ledger, ledger.account("label") as account:
        with pytest.raises(InvalidDecision, match="expected"):
            Oracle(Answers(SHAPE), account, known=True)(IMAGES[:10])
        assert account.spent == 10


def test_narrow_integers_are_decisions_too() -> None:
    class Narrow(Sectors):
        def __call__(self, images: Float[Tensor, "b c h w"]) -> Tensor:
            return super().__call__(images).to(torch.uint8)

    with Ledger(None) as ledger, ledger.account("label") as account:
        decisions = Oracle(Narrow(SHAPE), account)(IMAGES)
    assert decisions.dtype == torch.int64
    assert torch.equal(decisions, Sectors(SHAPE)(IMAGES))


def test_wide_bounds_are_the_teachers_own() -> None:
    teacher = HalfSpace(SHAPE)
    with Ledger(None) as ledger, ledger.account("label") as account:
        oracle = Oracle(teacher, account)
        assert oracle(torch.full((1, *SHAPE), -100.0)).shape == (1,)
        with pytest.raises(ImageError, match=r"from -100\.0 to 100\.0"):
            oracle(torch.full((1, *SHAPE), 100.01))


def test_a_teacher_that_says_when_to_come_again_is_not_made_to_wait_longer_and_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Later(Sectors):
        refused = 0

        def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
            if self.refused < 8:
                self.refused += 1
                raise NotServed("later", retry_after=0.07)
            return super().__call__(images)

    waited: list[float] = []
    monkeypatch.setattr("threading.Event.wait", lambda self, seconds: waited.append(seconds))
    with Ledger(None) as ledger, ledger.account("label") as account:
        oracle = Oracle(Later(SHAPE), account, attempts=20, pause=0.1)
        assert torch.equal(oracle(IMAGES[:50]), Sectors(SHAPE)(IMAGES[:50]))
        assert account.spent == 50
    assert len(waited) == 8
    assert all(0.07 <= seconds <= 0.1 for seconds in waited)


def _together(teacher: Any, in_flight: int = 3, max_batch: int = 10, patience: float = 0.0) -> Any:
    teacher.spec = replace(teacher.spec, max_batch=max_batch, service=Service(in_flight=in_flight, patience=patience))
    return teacher


@pytest.mark.parametrize("in_flight", [1, 3])
def test_what_was_surely_never_served_is_not_paid(in_flight: int) -> None:
    gone = _together(Flaky(Sectors(SHAPE), not_served=frozenset(range(4, 1000))), in_flight)
    with Ledger(None) as ledger:
        with ledger.account("label", limits=Limits(run=40)) as account:
            got = list[Tensor]()
            for known in (False, True, True):
                with pytest.raises(TeacherError, match=r"10 rows in 2 attempts.*was refused"):
                    got += Oracle(gone, account, attempts=2, pause=0.0, known=known).answers(IMAGES[: 40 - 10 * known])
            # The first three calls were served, and then none.
            assert account.spent == sum(map(len, got)) == 10
            # The server is there again, and the budget too.
            assert len(Oracle(Sectors(SHAPE), account)(IMAGES[10:40])) == 30
        assert ledger.statement().total == 40
        assert not ledger.statement().charged_again


def test_what_comes_beside_a_call_that_fails_for_good_is_given_away() -> None:
    failing = FailsBeside(_together(Sectors(SHAPE)), IMAGES[15], places=3)
    got, spare = list[Tensor](), list[tuple[Tensor, Tensor]]()
    with Ledger(None) as ledger, ledger.account("label") as account:
        oracle = Oracle(failing, account, known=True, spare=lambda images, answer: spare.append((images, answer)))
        with pytest.raises(TeacherError, match="a broken image"):
            got += oracle.answers(IMAGES[:30])
        assert account.spent == 30
    assert torch.equal(torch.cat(got), Sectors(SHAPE)(IMAGES[:10]))
    ((images, answer),) = spare
    assert torch.equal(images, IMAGES[20:30])
    assert torch.equal(answer, Sectors(SHAPE)(IMAGES[20:30]))


def test_of_a_call_that_was_lost_and_then_never_served_the_first_attempt_is_paid() -> None:
    flaky = Flaky(Sectors(SHAPE), maybe_served=frozenset({1}), not_served=frozenset({2, 3}))
    with Ledger(None) as ledger:
        with ledger.account("label") as account:
            oracle = Oracle(flaky, account, attempts=3, pause=0.0, known=True)
            with pytest.raises(TeacherError, match="3 attempts"):
                oracle(IMAGES[:10])
            assert (account.spent, oracle.usage.repeated) == (10, 0)
        assert not ledger.statement().charged_again


def test_another_attempt_that_makes_no_sense_is_not_made() -> None:
    failing = Failing(Sectors(SHAPE), 1, lambda: NotServed("no replica", again=False))
    failing.spec = replace(failing.spec, service=Service(patience=100.0))
    with Ledger(None) as ledger, ledger.account("label") as account:
        with pytest.raises(TeacherError, match="1 attempts, at last: no replica"):
            Oracle(failing, account, known=True)(IMAGES[:10])
        assert (failing.calls, account.spent) == (1, 0)


class _Meeting:
    """Answers once so many calls are there, each in its own way: by the place of its images among all."""

    def __init__(self, images: Tensor, calls: int, ways: dict[int, Callable[[], None]]) -> None:
        self.spec, self._teacher, self._ways = Sectors(SHAPE).spec, Sectors(SHAPE), ways
        self._images, self._there, self.asked = images, threading.Barrier(calls, timeout=60), list[int]()

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        place = next(row for row in range(len(self._images)) if torch.equal(self._images[row], images[0]))
        self.asked.append(place)
        if len(self.asked) <= self._there.parties:
            self._there.wait()
        self._ways.get(place, lambda: None)()
        return self._teacher(images)


def test_a_call_that_is_lost_where_the_budget_ends_is_paid_again_and_no_answer_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited, lost = threading.Event(), list[int]()

    class Waited(futures.Future[Tensor]):
        def result(self, timeout: float | None = None) -> Tensor:
            waited.set()
            return super().result(timeout)

    def lose() -> None:
        # By now all is charged that is charged beside this call.
        assert waited.wait(60)
        if not lost:
            lost.append(1)
            raise MaybeServed("timed out")

    monkeypatch.setattr("concurrent.futures._base.Future", Waited)
    teacher = _together(_Meeting(IMAGES, 2, {0: lose}), 4)
    with Ledger(None) as ledger, ledger.account("label", limits=Limits(run=40)) as account:
        got = list[Tensor]()
        with pytest.raises(BudgetExhausted):
            got += Oracle(teacher, account, pause=0.0, known=True).answers(IMAGES[:40])
        # Two calls of 10 beside each other leave 20, for the one that was lost and a third.
        assert torch.equal(torch.cat(got), Sectors(SHAPE)(IMAGES[:30]))
        assert account.spent == 40


def test_without_a_loss_the_end_of_a_budget_costs_no_answer() -> None:
    teacher = _together(Counting(Sectors(SHAPE)), 8)
    with Ledger(None) as ledger, ledger.account("label", limits=Limits(stage=100)) as account:
        assert len(Oracle(teacher, account, known=True)(IMAGES[:100])) == account.spent == teacher.rows == 100


def test_an_interruption_loses_no_answer_that_came_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(futures.Future[Tensor]):
        """Whoever waits for the first answer presses Ctrl-C."""

        pressed = False

        def result(self, timeout: float | None = None) -> Tensor:
            if not Interrupted.pressed:
                Interrupted.pressed = True
                raise KeyboardInterrupt
            return super().result(timeout)

    def fail() -> None:
        raise TeacherError("gone")

    teacher = _together(_Meeting(IMAGES, 3, {20: fail}))
    monkeypatch.setattr("concurrent.futures._base.Future", Interrupted)
    got = list[Tensor]()
    with Ledger(None) as ledger, ledger.account("label") as account:
        with pytest.raises(KeyboardInterrupt):
            got += Oracle(teacher, account, known=True).answers(IMAGES[:100])
        # Three were under way, and nothing can be used beyond the one that failed.
        assert torch.equal(torch.cat(got), Sectors(SHAPE)(IMAGES[:20]))
        assert account.spent == 30


@pytest.mark.parametrize("waits_for", ["rate", "attempt"])
def test_when_one_call_has_failed_for_good_no_further_one_is_sent(waits_for: str) -> None:
    def fail() -> None:
        raise TeacherError("gone")

    def lose() -> None:
        raise MaybeServed("timed out")

    teacher = _together(_Meeting(IMAGES, 1 if waits_for == "rate" else 3, {0: fail, 10: lose, 20: lose}))
    if waits_for == "rate":
        teacher.spec = replace(teacher.spec, service=replace(teacher.spec.service, rows_per_second=0.1))
    with Ledger(None) as ledger, ledger.account("label") as account:
        oracle = Oracle(teacher, account, pause=60.0, known=True)
        with pytest.raises(TeacherError, match="gone"):
            oracle(IMAGES[:30])
        assert len(teacher.asked) == (1 if waits_for == "rate" else 3)
        assert account.spent == 10 * len(teacher.asked)
        assert oracle.usage.repeated == 0
