"""The pictures in the box: tiles of one size, none empty, small enough for a wheel, and with their licences."""

from importlib.resources import files

from db3kd.pools.priors.tiles import SIDE, emoji, glyphs


def test_tiles_are_whole_and_none_is_empty() -> None:
    for tiles, channels in ((glyphs(), 1), (emoji(), 4)):
        assert len(tiles) > 1700
        assert tiles.shape[1:] == (channels, SIDE, SIDE)
        assert tiles.min() >= 0
        assert tiles.max() == 1
        assert tiles[:, -1].flatten(1).amax(dim=1).min() > 0.3


def test_an_emoji_is_black_where_nothing_is() -> None:
    assert (emoji()[:, :3] <= emoji()[:, 3:]).all()


def test_the_box_is_small_and_says_whose_pictures_it_holds() -> None:
    box = files("db3kd.pools.priors") / "box"
    assert sum(len(one.read_bytes()) for one in box.iterdir()) < 4 * 2**20
    notice = (box / "NOTICE.txt").read_text()
    assert "emoji-datasource-google 16.0.0" in notice
    assert "Bitstream Vera" in notice
    assert "Apache License" in (box / "LICENSE-APACHE-2.0.txt").read_text()
