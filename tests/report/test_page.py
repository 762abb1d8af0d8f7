"""The page: its figures, its markup, and that it needs nothing but itself."""

import re
import sys
from xml.etree import ElementTree

import pytest

from db3kd.boundary import Outcome
from db3kd.errors import InputError
from db3kd.report.figures import TeacherFigures
from db3kd.report.page import render
from made_report import bare_report, examples, full_report, report


@pytest.fixture(scope="module")
def page() -> str:
    return render(report(), examples(1, 28, count=12))


def test_the_page_shows_the_figures(page: str) -> None:
    text = " ".join("".join(ElementTree.fromstring(page).itertext()).split())
    for figure in ("97.31%", "187,780", "85.00% ± 1.41", "65,432", "4 min 05 s", "83.33%", "4.17%", "0.1250"):
        assert figure in text
    assert "ankle boot → <i>sneaker, distance 1.23, 1,480 queries" in text
    assert "All students saw the same 400 images." in text
    assert Outcome.FOUND.sentence in text
    median = report().distances[0].median_by_classes[0][1]
    assert median is not None
    assert f"{median:.2f}" in text


def test_a_page_begins_with_the_student_and_says_which_row_it_is(page: str) -> None:
    told = render(full_report())
    assert re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", told)[:3] == [
        ("agreement of the student with the teacher", "90.00%"),
        ("accuracy of the student", "85.00%"),
        ("accuracy of the teacher", "97.31%"),
    ]
    assert "Your student is the row “what the committee thinks”" in told
    unlabelled = full_report().students[-1].model_copy(update={"accuracy": None, "agreement": None})
    alone = {"students": (unlabelled,), "teacher": TeacherFigures()}
    (first, second, *_) = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", render(full_report().model_copy(update=alone)))
    assert first == ("agreement of the student on 100 answers set aside", "90.00%")
    assert second == ("queries charged to the budget", "1,026")
    # A comparison makes nobody a student.
    assert "Your student" not in page
    assert "of the student" not in page.partition("<main>")[0]


def test_the_page_is_well_formed_and_needs_nothing_but_itself(page: str) -> None:
    assert page.startswith("<!DOCTYPE html>")
    root = ElementTree.fromstring(page)
    assert "http:" not in page
    assert "https:" not in page
    assert not list(root.iter("script"))
    assert not list(root.iter("link"))
    identifiers = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(identifiers) == len(set(identifiers))
    for element in root.iter():
        for attribute in ("src", "href"):
            assert element.get(attribute, "#").startswith(("#", "data:image/png;base64,"))
    referred = set(re.findall(r"url\(#([^)]*)\)", page)) | set(re.findall(r'href="#([^"]*)"', page))
    assert referred
    assert referred <= set(identifiers)


def test_names_are_text_and_never_markup(page: str) -> None:
    assert "<b>bold" not in page
    assert "<i>sneaker" not in page
    assert "<of>" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    # A dollar sign would start a formula in a chart.
    assert ">$x$</text>" in page


def test_the_page_is_small_and_the_same_each_time(page: str) -> None:
    assert len(page.encode()) < 1_000_000
    assert render(report(), examples(1, 28, count=12)) == page


def test_a_report_without_figures_gives_a_page() -> None:
    page = render(bare_report())
    ElementTree.fromstring(page)
    assert "Examples" not in page
    assert "<svg" not in page


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "db3kd.report.pictures", raising=False)
    monkeypatch.delattr("db3kd.report.pictures", raising=False)
    with pytest.raises(InputError, match=re.escape("pip install 'db3kd[report]'")):
        render(bare_report())
