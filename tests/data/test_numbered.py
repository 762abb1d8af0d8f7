"""Ids that are counted and not kept: they behave as a tuple of them does."""

import pytest

from db3kd.data import Numbered


def test_numbered_ids_are_those_of_a_tuple() -> None:
    ids, kept = Numbered("made", 100_002), tuple(f"made/{row:05d}" for row in range(100_002))
    assert ids == kept
    assert kept == ids
    assert hash(ids) == hash(Numbered("made", 100_002))
    assert ids != Numbered("made", 3)
    assert (len(ids), ids[0], ids[-1], ids[100_000]) == (100_002, "made/00000", "made/100001", "made/100000")
    assert ids[3:6] == kept[3:6]
    assert repr(Numbered("made", 3)) == "Numbered('made', 3)"
    with pytest.raises(IndexError):
        ids[100_002]


def test_an_id_is_found_and_no_other() -> None:
    ids = Numbered("made", 100_002)
    assert [ids.row_of(ids[row]) for row in (0, 17, 99_999, 100_001)] == [0, 17, 99_999, 100_001]
    strangers = ["made/100002", "made/0", "made/000017", "made/-0001", "made/", "other/00017", "00017", "made/00017 "]
    strangers.append("made/" + "00017".translate({ord("0"): 0x660, ord("1"): 0x661, ord("7"): 0x667}))
    assert [ids.row_of(name) for name in strangers] == [None] * len(strangers)
