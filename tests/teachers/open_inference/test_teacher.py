"""A model on a server decides as it does in the process, and nothing is lost or paid twice unseen."""

import itertools
import logging
import threading
import time
from pathlib import Path

import pytest
import torch

from db3kd.errors import BudgetExhausted, InvalidDecision, PlanError, TeacherError
from db3kd.execution import Remembering
from db3kd.ledger import Ledger, Limits
from db3kd.oracle import Oracle, Usage
from db3kd.plan import parse_sections
from db3kd.plan.teachers import open_teacher
from db3kd.runs import Journal
from db3kd.teachers import Service, Teacher
from db3kd.teachers.layout import Stated
from db3kd.teachers.open_inference import OpenInferenceTeacher
from db3kd.teachers.open_inference.teacher import Line
from db3kd.tensors import Int, Tensor
from known_teachers import Sectors
from model_server import Handler, Server, serving

SHAPE = (3, 6, 5)
# On 8-bit levels, so that a server of bytes sees the very same images.
IMAGES = torch.randint(256, (60, *SHAPE), generator=torch.Generator().manual_seed(0)).to(torch.float32) / 255
QUICK = Line(timeout=2.0, max_batch=10, service=Service(in_flight=1, patience=5.0))


def _ask(teacher: Teacher, *, attempts: int = 5, limit: int | None = None) -> tuple[Int[Tensor, " n"], Usage, int]:
    """Decisions, what the oracle did, and what is on the ledger."""
    with Ledger(None) as ledger, ledger.account("label", limits=Limits(run=limit)) as account:
        oracle = Oracle(teacher, account, attempts=attempts, pause=0.01)
        return oracle(IMAGES), oracle.usage, account.spent


def _open(server: Server, line: Line = QUICK, stated: Stated | None = None) -> OpenInferenceTeacher:
    return OpenInferenceTeacher(server.url, stated=stated or Stated(num_classes=5), line=line)


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
        uri = f"{server.url}?max_batch=16&num_classes=5"
        section = parse_sections({"teacher": {"uri": uri}}, "the test").teacher
        assert section is not None
        teacher = open_teacher(section).teacher
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
    known, together = Sectors(SHAPE), threading.Barrier(4, timeout=20)

    def wait_for_the_others(handler: Handler, number: int) -> bool:
        if number <= 4:
            together.wait()
            # The first to come is the last to be answered.
            time.sleep(0.05 * (4 - number))
        return True

    server = Server(known, script=wait_for_the_others)
    with serving(server):
        line = Line(timeout=20.0, max_batch=10, service=Service(in_flight=4))
        decisions, usage, charged = _ask(_open(server, line))
    assert torch.equal(decisions, known(IMAGES))
    assert (usage.calls, charged) == (6, 60)


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
    def test_being_asked_to_wait_costs_time_and_nothing_else(self, status: int) -> None:
        times: list[float] = []

        def script(handler: Handler, number: int) -> bool:
            times.append(time.monotonic())
            # Longer than there are attempts: patience is what counts here.
            if 2 <= number <= 9:
                handler.send(status, {"error": "later"}, retry_after="0.1")
            return not 2 <= number <= 9

        usage, charged = self._served(Server(Sectors(SHAPE), script=script))
        assert (usage.repeated, charged) == (0, 60)
        assert min(later - sooner for sooner, later in itertools.pairwise(times[1:10])) > 0.09

    def test_an_answer_that_is_cut_short_is_charged_again(self) -> None:
        def script(handler: Handler, number: int) -> bool:
            if number == 3:
                handler.send(200, handler.known.answer(handler.known.requests[-1], b""), cut=20)
            return number != 3

        usage, _ = self._served(Server(Sectors(SHAPE), script=script))
        assert usage.repeated == 10

    def test_a_hang_ends_at_the_time_out_and_is_charged_again(self) -> None:
        def script(handler: Handler, number: int) -> bool:
            if number == 2:
                time.sleep(1.0)
            return True

        server = Server(Sectors(SHAPE), script=script)
        with serving(server):
            decisions, usage, charged = _ask(_open(server, Line(timeout=0.4, max_batch=10)))
        assert torch.equal(decisions, Sectors(SHAPE)(IMAGES))
        assert (usage.repeated, charged) == (10, 70)

    def test_a_server_that_is_killed_and_comes_back_is_waited_for(self) -> None:
        server = Server(Sectors(SHAPE))
        with serving(server):
            teacher, port = _open(server), int(server.url.split(":")[2].split("/")[0])

        def come_back() -> None:
            time.sleep(1.0)
            with serving(server, port):
                done.wait(20)

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

    @pytest.mark.parametrize(
        ("output", "told"),
        [
            ({"datatype": "INT64", "shape": [9], "data": [0] * 9}, "10 answers"),
            ({"datatype": "INT64", "shape": [10], "data": [0] * 9}, "9 values"),
            ({"datatype": "INT64", "shape": [10], "data": [0.5] * 10}, "float"),
            ({"datatype": "INT64", "shape": [10], "data": [5] + [0] * 9}, "got 5"),
            ({"datatype": "INT64", "shape": [10], "data": [-1] + [0] * 9}, "got -1"),
            ({"datatype": "INT64", "shape": [10], "data": ["0"] * 10}, "type <U1"),
            ({"datatype": "INT64", "shape": [10], "data": [[0], [0, 1]]}, "different lengths"),
            ({"datatype": "FP32", "shape": [10, 5], "data": [None] * 50}, "object"),
            ({"datatype": "FP32", "shape": [10], "data": [0.0] * 10}, "FP32 of shape"),
            ({"datatype": "BYTES", "shape": [10], "data": ["cat"] * 10}, "'cat'"),
            ({"datatype": "BYTES", "shape": [10], "data": ["0.9:7"] * 10}, "got 7"),
            ({"datatype": "INT64", "shape": "10", "data": [0] * 10}, "shape"),
        ],
    )
    def test_an_answer_that_is_no_class_for_each_image_is_named_and_never_a_label(
        self, output: dict[str, object], told: str
    ) -> None:
        def script(handler: Handler, number: int) -> bool:
            asked = handler.known.requests[-1]
            handler.send(200, {"id": asked["id"], "outputs": [{"name": "answer", **output}]})
            return False

        server = Server(Sectors(SHAPE), script=script)
        with serving(server), Ledger(None) as ledger, ledger.account("label") as account:
            oracle = Oracle(_open(server), account)
            with pytest.raises(InvalidDecision, match=told):
                oracle(IMAGES)
            assert (account.spent, len(server.requests)) == (10, 1)

    def test_the_answer_to_another_request_is_refused(self) -> None:
        def script(handler: Handler, number: int) -> bool:
            handler.send(200, {**handler.known.answer(handler.known.requests[-1], b""), "id": "another"})
            return False

        server = Server(Sectors(SHAPE), script=script)
        with serving(server), pytest.raises(TeacherError, match="'another'"):
            _ask(_open(server))

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
            teacher = _open(server, Line(timeout=1.0, max_batch=10, service=Service(patience=0.2)))
        with Ledger(None) as ledger, ledger.account("label") as account:
            with pytest.raises(TeacherError, match=r"not reached.*run again"):
                Oracle(teacher, account, attempts=2, pause=0.01)(IMAGES)
            # A line that was still open when the server went may have carried the first attempt.
            assert account.spent <= 20


def test_what_came_before_a_failure_or_the_end_of_the_budget_is_kept(tmp_path: Path) -> None:
    known = Sectors(SHAPE)

    def script(handler: Handler, number: int) -> bool:
        if number == 5:
            handler.send(400, {"error": "no"})
        return number != 5

    server = Server(known, script=script)
    with serving(server), Ledger(None) as ledger:
        teacher = _open(server, Line(timeout=5.0, max_batch=10, service=Service(in_flight=3)))
        with ledger.account("label", limits=Limits(run=35)) as account, Journal(tmp_path / "j", b"x") as journal:
            with pytest.raises(BudgetExhausted):
                Remembering(Oracle(teacher, account), journal)(IMAGES)
            assert account.spent == 30
        assert server.served == 30
        with ledger.account("label") as account, Journal(tmp_path / "j", b"x") as journal:
            remembering = Remembering(Oracle(teacher, account), journal)
            with pytest.raises(TeacherError, match="status 400"):
                remembering(IMAGES)
            assert journal.replayed == 30
        with ledger.account("label") as account, Journal(tmp_path / "j", b"x") as journal:
            assert torch.equal(Remembering(Oracle(teacher, account), journal)(IMAGES), known(IMAGES))
            # Only what failed, and what was in flight beside it, was asked again.
            assert 30 <= journal.replayed <= 50


class TestSecrets:
    def test_the_token_is_sent_and_shown_nowhere(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("TEACHER_TOKEN", "s3cret-t0ken")
        server = Server(Sectors(SHAPE))
        line = Line(token_env="TEACHER_TOKEN", max_batch=10)
        with serving(server), caplog.at_level(logging.DEBUG):
            teacher = _open(server, line)
            _ask(teacher)
            with pytest.raises(TeacherError, match="unknown model") as caught:
                OpenInferenceTeacher(server.url + "2", line=line)
        assert all(sent["Authorization"] == "Bearer s3cret-t0ken" for sent in server.headers)
        shown = f"{caplog.text} {caught.value} {teacher.spec!r} {teacher.assumptions} {teacher!r}"
        assert "s3cret" not in shown
        assert "s3cret" not in repr(vars(teacher._connection))

    def test_a_token_that_is_not_there_is_told_before_anything_is_asked(self) -> None:
        with pytest.raises(PlanError, match="NO_SUCH_TOKEN"):
            OpenInferenceTeacher("http://127.0.0.1:9/v2/models/m", line=Line(token_env="NO_SUCH_TOKEN"))

    def test_a_redirection_to_another_host_is_refused_and_gets_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TEACHER_TOKEN", "s3cret-t0ken")
        with serving(Server(Sectors(SHAPE))) as other:
            here = Server(Sectors(SHAPE), redirect=other.url.partition("/v2")[0])
            with serving(here), pytest.raises(TeacherError, match="another host"):
                _open(here, Line(token_env="TEACHER_TOKEN"))
            assert not other.headers

    def test_a_password_in_the_url_is_refused_and_not_repeated(self) -> None:
        with pytest.raises(PlanError, match="token_env") as caught:
            OpenInferenceTeacher("http://me:hunter2@127.0.0.1:9/v2/models/m")
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/models/m", "http://127.0.0.1:9/v2/models/", "http:///v2/models/m"])
def test_a_url_that_names_no_model_is_refused(url: str) -> None:
    with pytest.raises(PlanError):
        OpenInferenceTeacher(url)


def test_a_rate_limit_is_kept() -> None:
    server = Server(Sectors(SHAPE))
    with serving(server):
        line = Line(max_batch=10, service=Service(in_flight=3, rows_per_second=100.0))
        teacher, started = _open(server, line), time.monotonic()
        _ask(teacher)
    # 60 rows at 100 a second: the first batch goes at once, the sixth after half a second.
    assert time.monotonic() - started >= 0.5
