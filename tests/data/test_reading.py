"""What became of pictures is said once, briefly, and more broken ones than allowed are refused."""

import logging

import pytest

from db3kd.data.reading import Reading, Tally, short
from db3kd.errors import DataError


def _reading(changes: dict[str, int], broken: dict[str, str], *, channels: int = 3) -> Reading:
    return Reading("photos", 2_000, (channels, 20, 30), "pad", changes, broken)


def test_where_nothing_was_done_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    plain = _reading({}, {})
    plain.tell()
    assert plain.sentences == ()
    assert caplog.text == ""


def test_what_was_done_is_said_with_the_fit_where_one_was_scaled(caplog: pytest.LogCaptureFixture) -> None:
    done = _reading({"alpha": 3, "scaled": 1_200}, {})
    told = "photos: 2,000 images brought to 20x30 RGB (pad): 1,200 scaled; 3 transparent, put on the background"
    assert done.sentences == (told,)
    with caplog.at_level(logging.WARNING, logger="db3kd"):
        done.tell()
    assert caplog.messages == [told]
    gray = _reading({"grayed": 1}, {}, channels=1)
    assert gray.sentences == ("photos: 2,000 images brought to 20x30 gray: 1 coloured, made gray",)


def test_of_the_broken_ones_the_first_five_are_named() -> None:
    names = [f"{letter}.png" for letter in "abcdefg"]
    for count, end in ((5, "d.png (cut), e.png (cut)"), (7, "d.png (cut), e.png (cut) and 2 more")):
        (told,) = _reading({}, dict.fromkeys(names[:count], "cut")).sentences
        assert told.startswith(f"photos: {count} of 2,000 images cannot be read and were left out: a.png (cut), b.png")
        assert told.endswith(end)


def test_as_many_may_be_broken_as_were_allowed() -> None:
    tally = Tally("photos", 20, stop=False, share=0.1)
    for name in ("a", "b"):
        tally.note_broken(name, "cut\n  short")
    assert tally.broken == {"a": "cut short", "b": "cut short"}
    with pytest.raises(
        DataError, match=r"of 20 images 3 and maybe more .* allows 0\.1 of them: a \(cut short\), b .*, c"
    ):
        tally.note_broken("c", "empty")


def test_where_none_may_be_broken_the_first_one_stops() -> None:
    with pytest.raises(DataError, match=r"a\.png cannot be read as an image \(empty\).*broken = 'skip'"):
        Tally("photos", 20, stop=True, share=1.0).note_broken("a.png", "empty")


def test_changes_are_summed() -> None:
    tally = Tally("photos", 20, stop=False, share=0.1)
    tally.note_changes({"scaled": 2, "alpha": 1})
    tally.note_changes({"scaled": 3})
    assert tally.changes == {"scaled": 5, "alpha": 1}


def test_a_reason_is_one_line_of_text_that_is_not_too_long() -> None:
    assert short(" cannot\tidentify\n\n'x' ") == "cannot identify 'x'"
    assert short("no \udce9") == "no ?"
    assert short("x" * 160) == "x" * 160
    assert short("x" * 161) == "x" * 160 + "..."
