"""What is drawn is read on both grounds: contrasts as WCAG 2.2 asks for them."""

import re
from itertools import product

import pytest

from db3kd.report.colors import ACCENT, DARK, LIGHT, MUTED, SECOND, contrast, text_on
from db3kd.report.page import render
from made_report import full_report, report


@pytest.mark.parametrize("ground", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_marks_are_read_on_a_page(ground: dict[str, str]) -> None:
    for text, behind in product(("ink", "soft"), ("paper", "panel")):
        assert contrast(ground[text], ground[behind]) >= 4.5, (text, behind)
    for mark, behind in product((ACCENT, SECOND, MUTED), ("paper", "panel")):
        assert contrast(mark, ground[behind]) >= 3, (mark, behind)
    # A median is a line of the text's colour over bars.
    assert contrast(ground["ink"], ACCENT) >= 3


def test_text_is_read_on_any_ground() -> None:
    for red, green, blue in product(range(0, 256, 15), repeat=3):
        ground = f"#{red:02x}{green:02x}{blue:02x}"
        assert contrast(text_on(ground), ground) >= 4.5, ground


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == contrast("#ffffff", "#777777") == pytest.approx(4.48, abs=0.005)


def test_a_page_has_no_other_colours() -> None:
    # A map of classes has a scale of its own, and writes on it in `text_on`.
    plain = {
        "students": report().students,
        "distances": tuple(one.model_copy(update={"median_by_classes": ()}) for one in report().distances),
    }
    page = render(full_report().model_copy(update=plain))
    assert set(re.findall(r"#[0-9a-f]{6}\b", page)) == {ACCENT, SECOND, MUTED, *LIGHT.values(), *DARK.values()}
