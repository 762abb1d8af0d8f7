"""A journal gives back a beginning of what was appended, whatever happened to it, and never a wrong answer."""

import logging
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db3kd.errors import ArtifactError
from db3kd.runs.journal import DIGEST_BYTES, Journal, answered, count_rows, is_record
from processes import finish, kill_after, start

_IDENTITY = b"plan, teacher and part"
_HEADER_BYTES = 52
_ANSWERS = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), st.lists(st.sampled_from([0, 9, 255, 256, 65_535, 65_536]), max_size=5)),
    max_size=8,
)
type_of_answers = list[tuple[int, list[int]]]


def _append(journal: Journal, answers: type_of_answers, *, recording: bool = False) -> None:
    for question, decisions in answers:
        digests = [_digest(question, row) for row in range(len(decisions))] if recording else []
        journal.append(question, np.array(decisions, dtype=np.int64), digests)


def _digest(question: int, row: int) -> bytes:
    return f"{question}/{row}".encode().rjust(DIGEST_BYTES, b"0")[-DIGEST_BYTES:]


def _replay(journal: Journal, answers: type_of_answers) -> int:
    """Ask the same questions again; give how many were answered, all of them rightly."""
    for count, (question, decisions) in enumerate(answers):
        answer = journal.next_record(question, len(decisions))
        if answer is None:
            return count
        assert answer.tolist() == decisions
    return len(answers)


@settings(max_examples=40, deadline=None)
@given(answers=_ANSWERS, following=_ANSWERS, share=st.floats(0, 1), recording=st.booleans())
def test_a_truncated_journal_answers_a_beginning_and_goes_on(
    answers: type_of_answers, following: type_of_answers, share: float, recording: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "00000.journal")
        ends = []
        with Journal(path, _IDENTITY, recording=recording) as journal:
            for answer in answers:
                _append(journal, [answer], recording=recording)
                ends.append(path.stat().st_size)
        size = round(path.stat().st_size * share)
        path.write_bytes(path.read_bytes()[:size])
        with Journal(path, _IDENTITY, recording=recording) as journal:
            answered = _replay(journal, answers)
            assert answered == sum(end <= size for end in ends)
            _append(journal, following, recording=recording)
        with Journal(path, _IDENTITY, recording=recording) as journal:
            whole = answers[:answered] + following
            assert _replay(journal, whole) == len(whole)
            assert journal.next_record(0, 1) is None


@settings(max_examples=40, deadline=None)
@given(answers=_ANSWERS.filter(bool), position=st.integers(0), bit=st.integers(0, 7))
def test_a_changed_journal_answers_a_beginning_or_is_refused(answers: type_of_answers, position: int, bit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "00000.journal")
        with Journal(path, _IDENTITY) as journal:
            _append(journal, answers)
        content = bytearray(path.read_bytes())
        position %= len(content)
        content[position] ^= 1 << bit
        path.write_bytes(content)
        if position < _HEADER_BYTES:
            with pytest.raises(ArtifactError, match=r"00000\.journal"):
                Journal(path, _IDENTITY)
        else:
            with Journal(path, _IDENTITY) as journal:
                assert _replay(journal, answers) < len(answers)


def test_a_record_counts_only_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "00000.journal"
    with Journal(path, _IDENTITY) as journal:
        _append(journal, [(1, [5]), (1, [6]), (1, [7])])
    content = path.read_bytes()
    record = (len(content) - _HEADER_BYTES) // 3
    path.write_bytes(content[:_HEADER_BYTES] + content[_HEADER_BYTES + record :])
    with Journal(path, _IDENTITY) as journal:
        assert journal.next_record(1, 1) is None


@pytest.mark.parametrize(("question", "rows"), [(3, 2), (2, 3)])
def test_another_question_discards_the_rest_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, question: int, rows: int
) -> None:
    path = tmp_path / "00000.journal"
    with Journal(path, _IDENTITY) as journal:
        _append(journal, [(1, [5, 6]), (2, [7, 8]), (3, [9, 9])])
    with Journal(path, _IDENTITY) as journal, caplog.at_level(logging.WARNING):
        assert _replay(journal, [(1, [5, 6])]) == 1
        assert journal.next_record(question, rows) is None
        assert "discarded" in caplog.text
        assert journal.next_record(3, 2) is None
        _append(journal, [(4, [1])])
    with Journal(path, _IDENTITY) as journal:
        assert _replay(journal, [(1, [5, 6]), (4, [1])]) == 2


def test_an_answer_is_not_appended_before_the_recorded_ones_were_given(tmp_path: Path) -> None:
    with Journal(tmp_path / "00000.journal", _IDENTITY) as journal:
        _append(journal, [(1, [5])])
    with Journal(tmp_path / "00000.journal", _IDENTITY) as journal, pytest.raises(AssertionError):
        _append(journal, [(2, [6])])


@pytest.mark.parametrize("decision", [-1, 2**32])
def test_what_is_no_class_is_not_recorded(tmp_path: Path, decision: int) -> None:
    with Journal(tmp_path / "00000.journal", _IDENTITY) as journal, pytest.raises(ValueError, match="class"):
        _append(journal, [(1, [decision])])


def test_any_integer_type_is_taken_and_int64_comes_back(tmp_path: Path) -> None:
    for kind in (np.uint8, np.int16, np.uint32, np.int64):
        with Journal(tmp_path / f"{kind.__name__}.journal", _IDENTITY) as journal:
            journal.append(1, np.arange(4, dtype=kind))
        with Journal(tmp_path / f"{kind.__name__}.journal", _IDENTITY) as journal:
            answer = journal.next_record(1, 4)
            assert answer is not None
            assert answer.dtype == np.int64
            assert answer.tolist() == [0, 1, 2, 3]


def test_the_answers_to_something_else_are_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "00000.journal"
    with Journal(path, _IDENTITY) as journal:
        _append(journal, [(1, [5])])
    content = path.read_bytes()
    with pytest.raises(ArtifactError, match="another plan, teacher or part"):
        Journal(path, b"other")
    assert path.read_bytes() == content


def test_what_was_begun_for_something_else_and_holds_no_answer_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "00000.journal"
    Journal(path, b"other", recording=True).close()
    with Journal(path, _IDENTITY) as journal:
        assert journal.next_record(1, 1) is None
        _append(journal, [(1, [5])])
    with Journal(path, _IDENTITY) as journal:
        assert _replay(journal, [(1, [5])]) == 1


def test_a_recording_journal_knows_its_questions_and_another_one_knows_none(tmp_path: Path) -> None:
    answers = [(1, [5, 300]), (2, []), (3, [7])]
    for recording in (True, False):
        path = tmp_path / f"{recording}.journal"
        with Journal(path, _IDENTITY, recording=recording) as journal:
            _append(journal, answers, recording=recording)
        expected = {_digest(1, 0): 5, _digest(1, 1): 300, _digest(3, 0): 7}
        assert answered(path) == (expected if recording else {})
        assert is_record(path) == recording
        # A torn tail holds nothing; what stands before it counts.
        path.write_bytes(path.read_bytes()[:-1])
        expected.popitem()
        assert answered(path) == (expected if recording else {})
    (tmp_path / "other.journal").write_bytes(b"x" * 100)
    assert answered(tmp_path / "other.journal") == {}
    (tmp_path / "torn.journal").write_bytes(b"x")
    assert not is_record(tmp_path / "torn.journal")


@pytest.mark.parametrize("recording", [True, False])
def test_its_answers_are_counted_whatever_it_belongs_to(tmp_path: Path, recording: bool) -> None:
    path = tmp_path / "00000.journal"
    assert count_rows(path) == 0
    with Journal(path, _IDENTITY, recording=recording) as journal:
        assert count_rows(path) == 0
        _append(journal, [(1, [5, 7]), (2, []), (3, [300, 2, 3])], recording=recording)
    assert count_rows(path) == 5
    path.write_bytes(path.read_bytes()[:-1])
    assert count_rows(path) == 2
    path.write_bytes(b"x" * 100)
    assert count_rows(path) == 0


def test_the_first_answer_to_a_question_counts(tmp_path: Path) -> None:
    path = tmp_path / "00000.journal"
    with Journal(path, _IDENTITY, recording=True) as journal:
        _append(journal, [(1, [5]), (1, [6])], recording=True)
    assert answered(path) == {_digest(1, 0): 5}


@pytest.mark.parametrize("recording", [True, False])
def test_a_journal_of_the_other_kind_is_refused_and_kept(tmp_path: Path, recording: bool) -> None:
    path = tmp_path / "00000.journal"
    with Journal(path, _IDENTITY, recording=recording) as journal:
        _append(journal, [(1, [5])], recording=recording)
    content = path.read_bytes()
    was = str(recording).lower()
    with pytest.raises(
        ArtifactError, match=rf"another setting of budget\.record;.*: set budget\.record={was} as before"
    ):
        Journal(path, _IDENTITY, recording=not recording)
    assert path.read_bytes() == content


_APPEND = """
import sys
from pathlib import Path
import numpy as np
from db3kd.runs.journal import Journal
journal = Journal(Path(sys.argv[1]), b"plan, teacher and part")
for count in range(100_000):
    journal.append(count, np.array([count % 10] * (count % 200)))
    print(count)
"""


def test_a_kill_loses_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "00000.journal"
    appended = len(kill_after(start(_APPEND, path), 500))
    answers = [(count, [count % 10] * (count % 200)) for count in range(appended + 2)]
    with Journal(path, _IDENTITY) as journal:
        # One may have been appended and not told any more; the last line may have been torn.
        assert appended - 1 <= _replay(journal, answers) <= appended + 1


_FILL = """
import resource, sys
from pathlib import Path
import numpy as np
from db3kd.errors import StorageError
from db3kd.runs.journal import Journal
with Journal(Path(sys.argv[1]), b"plan, teacher and part") as journal:
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, resource.RLIM_INFINITY))
    for count in range(1_000):
        try:
            journal.append(count, np.full(100, 7))
        except StorageError as error:
            print(count, error, sep="|")
            break
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.append(count, np.full(100, 7))
"""


def test_a_full_disk_keeps_the_answers_before(tmp_path: Path) -> None:
    path = tmp_path / "00000.journal"
    count, message = finish(start(_FILL, path)).split("|")
    assert 10 < int(count) < 100
    assert "00000.journal" in message
    with Journal(path, _IDENTITY) as journal:
        assert _replay(journal, [(index, [7] * 100) for index in range(200)]) == int(count) + 1
