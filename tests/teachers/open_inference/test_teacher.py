"""A model on a server decides as it does in the process, and nothing is lost or paid twice unseen."""

import threading
from collections.abc import Iterator

import pytest
import torch

from db3kd.errors import BudgetExhausted, NotServed, TeacherError
from db3kd.ledger import Ledger, Limits
from db3kd.oracle import Oracle, Usage
from db3kd.teachers import ModelDescription, Preparation, PreparedTeacher, Service, Teacher
from db3kd.teachers.open_inference import OpenInferenceTeacher, ServerOptions
from db3kd.tensors import Float, Int, Tensor
from known_teachers import Sectors
from made_clock import stopped
from model_server import Handler, Server, serving

SHAPE = (3, 6, 5)
# On 8-bit levels, so that a server of bytes sees the very same images.
IMAGES = torch.randint(256, (60, *SHAPE), generator=torch.Generator().manual_seed(0)).to(torch.float32) / 255
QUICK = ServerOptions(timeout=90.0, max_batch=10, service=Service(in_flight=1, patience=5.0))


def _ask(teacher: Teacher, *, attempts: int = 5, limit: int | None = None) -> tuple[Int[Tensor, " n"], Usage, int]:
    """Decisions, what the oracle did, and what is on the ledger."""
    with Ledger(None) as ledger, ledger.account("label", limits=Limits(run=limit)) as account:
        oracle = Oracle(teacher, account, attempts=attempts, pause=0.01, known=True)
        return oracle(IMAGES), oracle.usage, account.spent


def _open(server: Server, options: ServerOptions = QUICK) -> OpenInferenceTeacher:
    return OpenInferenceTeacher(server.url, description=ModelDescription(num_classes=5), options=options)


@pytest.mark.parametrize("datatype", ["FP32", "UINT8", "FP64"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("gives", ["integers", "scores"])
@pytest.mark.parametrize("extensions", [(), ("binary_tensor_data",), ("classification", "binary_tensor_data")])
def test_every_kind_of_server_gives_the_decisions_of_the_process(
    datatype: str, layout: str, gives: str, extensions: tuple[str, ...]
) -> None:
    known = Sectors(SHAPE)
    server = Server(known, datatype=datatype, layout=layout, gives=gives, extensions=extensions)
    with serving(server):
        teacher: Teacher = _open(server, ServerOptions(max_batch=16))
        if datatype == "UINT8":
            teacher = PreparedTeacher(teacher, Preparation(scale=255.0), image_shape=SHAPE)
        decisions, usage, charged = _ask(teacher)
    assert torch.equal(decisions, known(IMAGES))
    assert (usage.rows, usage.calls, charged, server.served) == (60, 4, 60, 60)
    assert teacher.spec.levels == (256 if datatype == "UINT8" else None)
    binary = "binary_tensor_data" in extensions
    posted = [sent for sent in server.headers if "Content-Type" in sent]
    assert {sent["Content-Type"] for sent in posted} == {"application/octet-stream" if binary else "application/json"}
    assert all(("data" in asked["inputs"][0]) != binary for asked in server.requests)
    assert len({asked["id"] for asked in server.requests}) == 4
    wants_best = [asked["outputs"][0]["parameters"].get("classification") for asked in server.requests]
    assert set(wants_best) == ({1} if gives == "scores" and "classification" in extensions else {None})


def test_several_requests_are_in_flight_and_their_answers_in_order() -> None:
    known, answered = Sectors(SHAPE), [threading.Event() for _ in range(4)]

    def wait_for_the_others(handler: Handler, number: int) -> bool:
        if number > 4:
            return True
        # The first to come is the last to be answered.
        assert number == 4 or answered[number].wait(60)
        handler.send(200, handler.known.answer(handler.known.requests[number - 1], b""))
        answered[number - 1].set()
        return False

    server = Server(known, script=wait_for_the_others)
    with serving(server):
        options = ServerOptions(timeout=90.0, max_batch=10, service=Service(in_flight=4))
        decisions, usage, charged = _ask(_open(server, options))
    assert torch.equal(decisions, known(IMAGES))
    assert (usage.calls, charged) == (6, 60)


class _Knocking:
    """Tells when a server was asked and was not there."""

    def __init__(self, teacher: Teacher) -> None:
        self.spec, self._teacher, self.in_vain = teacher.spec, teacher, threading.Event()

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        try:
            return self._teacher(images)
        except NotServed:
            self.in_vain.set()
            raise


class TestFaults:
    """Each fault, with what was lost (nothing) and what was paid twice (counted)."""

    def _served(self, server: Server, attempts: int = 5) -> tuple[Usage, int]:
        with serving(server):
            decisions, usage, charged = _ask(_open(server), attempts=attempts)
        assert torch.equal(decisions, Sectors(SHAPE)(IMAGES))
        assert charged == 60 + usage.repeated >= server.served
        return usage, charged

    def test_a_reset_connection_is_charged_again(self) -> None:
        def script(handler: Handler, number: int) -> bool:
            if number in (2, 5):
                handler.reset()
            return number not in (2, 5)

        usage, _ = self._served(Server(Sectors(SHAPE), script=script))
        assert usage.repeated == 20

    def test_a_failure_of_the_server_is_charged_again(self) -> None:
        def script(handler: Handler, number: int) -> bool:
            if number % 3 == 0:
                handler.send(500, {"error": "out of memory"})
            return number % 3 != 0

        usage, _ = self._served(Server(Sectors(SHAPE), script=script))
        assert usage.repeated == 20

    @pytest.mark.parametrize("status", [429, 503])
    def test_being_asked_to_wait_costs_time_and_nothing_else(
        self, status: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits = stopped(monkeypatch)

        def script(handler: Handler, number: int) -> bool:
            # Longer than there are attempts: patience is what counts here.
            if 2 <= number <= 9:
                handler.send(status, {"error": "later"}, retry_after="0.02")
            return not 2 <= number <= 9

        usage, charged = self._served(Server(Sectors(SHAPE), script=script))
        assert (usage.repeated, charged) == (0, 60)
        assert waits == [0.02] * 8

    def test_an_answer_that_is_cut_short_is_charged_again(self) -> None:
        def script(handler: Handler, number: int) -> bool:
            if number == 3:
                handler.send(200, handler.known.answer(handler.known.requests[-1], b""), cut=20)
            return number != 3

        usage, _ = self._served(Server(Sectors(SHAPE), script=script))
        assert usage.repeated == 10

    def test_a_hang_ends_at_the_time_out_and_is_charged_again(self) -> None:
        over = threading.Event()

        def script(handler: Handler, number: int) -> bool:
            if number == 2:
                over.wait(60)
            return number != 2

        server = Server(Sectors(SHAPE), script=script)
        with serving(server):
            decisions, usage, charged = _ask(_open(server, ServerOptions(timeout=0.4, max_batch=10)))
            over.set()
        assert torch.equal(decisions, Sectors(SHAPE)(IMAGES))
        # Where the machine stands still for a while, another request is too late as well.
        assert usage.repeated == charged - 60 == 10 * (len(server.requests) - 6) >= 10

    def test_a_server_that_is_killed_and_comes_back_is_waited_for(self) -> None:
        server = Server(Sectors(SHAPE))
        with serving(server):
            teacher, port = _Knocking(_open(server)), int(server.url.split(":")[2].split("/")[0])

        def come_back() -> None:
            assert teacher.in_vain.wait(60)
            with serving(server, port):
                done.wait(60)

        done = threading.Event()
        thread = threading.Thread(target=come_back)
        thread.start()
        try:
            decisions, usage, charged = _ask(teacher)
        finally:
            done.set()
            thread.join()
        assert torch.equal(decisions, Sectors(SHAPE)(IMAGES))
        # The line that was open when the server went may have carried the first attempt: that one is charged again.
        assert usage.repeated in (0, 10)
        assert charged == 60 + usage.repeated
        assert server.served == 60

    def test_what_a_retry_cannot_mend_is_not_retried(self) -> None:
        def script(handler: Handler, number: int) -> bool:
            handler.send(413, {"error": "at most 5 rows"})
            return False

        server = Server(Sectors(SHAPE), script=script)
        with serving(server), pytest.raises(TeacherError, match=r"413: at most 5 rows"):
            _ask(_open(server))
        assert len(server.requests) == 1

    def test_a_server_that_never_comes_back_is_given_up(self) -> None:
        server = Server(Sectors(SHAPE))
        with serving(server):
            teacher = _open(server, ServerOptions(timeout=1.0, max_batch=10, service=Service(patience=0.2)))
        with Ledger(None) as ledger, ledger.account("label") as account:
            with pytest.raises(TeacherError, match=r"not reached.*run again"):
                Oracle(teacher, account, attempts=2, pause=0.01, known=True)(IMAGES)
            # A line that was still open when the server went may have carried the first attempt.
            assert account.spent <= 20


def _collect(answers: Iterator[Int[Tensor, " b"]], got: list[int]) -> None:
    for batch in answers:
        got += batch.tolist()


def _ask_until_it_fails(
    teacher: Teacher, images: Float[Tensor, "n c h w"], error: type[Exception], limit: int | None = None
) -> tuple[list[int], int]:
    """The decisions that came before an error, and what was charged."""
    got: list[int] = []
    with Ledger(None) as ledger, ledger.account("label", limits=Limits(run=limit)) as account:
        with pytest.raises(error):
            _collect(Oracle(teacher, account).answers(images), got)
        return got, account.spent


def test_what_came_before_a_failure_or_the_end_of_the_budget_is_given() -> None:
    expected = Sectors(SHAPE)(IMAGES).tolist()

    def script(handler: Handler, number: int) -> bool:
        # The first batch goes in three calls.
        if number == 7:
            handler.send(400, {"error": "no"})
        return number != 7

    server = Server(Sectors(SHAPE), script=script)
    with serving(server):
        teacher = _open(server, ServerOptions(timeout=90.0, max_batch=10, service=Service(in_flight=3)))
        got, charged = _ask_until_it_fails(teacher, IMAGES, BudgetExhausted, limit=35)
        assert (got, charged, server.served) == (expected[:30], 30, 30)
        got, charged = _ask_until_it_fails(teacher, IMAGES[30:], TeacherError)
        # Only what failed, and what was in flight with it, is lost.
        assert got == expected[30 : 30 + len(got)]
        assert charged - len(got) <= 30


def test_a_rate_limit_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    server, waits = Server(Sectors(SHAPE)), stopped(monkeypatch)
    with serving(server):
        options = ServerOptions(max_batch=10, service=Service(in_flight=3, rows_per_second=500.0))
        _ask(_open(server, options))
    # Six calls of 10 rows at 500 a second: the first goes at once, the sixth after a tenth of a second.
    assert sorted(waits) == pytest.approx([0.0, 0.02, 0.04, 0.06, 0.08, 0.1])
