import base64
import io
import json
import re
import sys
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from db3kd.errors import ArtifactError, InputError
from db3kd.report import pictures, tables
from db3kd.report.examples import Example, draw
from db3kd.report.page import render
from db3kd.report.schema import (
    Calibration,
    CalibrationBin,
    Queries,
    Report,
    StudentFigures,
    TeacherFigures,
    from_json,
    to_json,
)
from db3kd.report.searches import Histogram, Labelling, OutcomeCount
from db3kd.report.summary import summarise

CLASSES = ("<b>bold</b>", "$x$", "ankle & boot", "a_{", *(f"class {number}" for number in range(4, 10)))


def labelling(method: str) -> Labelling:
    generator = torch.Generator().manual_seed(3)
    return summarise(
        method,
        1 + torch.rand(60, 10, generator=generator),
        torch.full((60, 10), 7),
        torch.arange(60) % 10,
        outcomes={"FOUND": OutcomeCount(pairs=530, sentence="It is across."), "STALLED": OutcomeCount(pairs=10)},
    )


def report() -> Report:
    bins = tuple(
        CalibrationBin(lower=n / 10, upper=(n + 1) / 10, images=n, confidence=n / 10, correct=n / 10) for n in range(10)
    )
    methods = ("true-labels", "hard-decisions", "logits", "sd", "bd", "mbd")
    students = tuple(
        StudentFigures(
            name=name,
            accuracy=0.8 + 0.01 * place,
            agreement=0.9,
            queries=4321 * place,
            parameters=47645,
            images=400,
            seeds=(0, 1),
            accuracy_by_seed=(0.79, 0.81),
            per_class=(0.5, None, *(0.25,) * 8),
            calibration=Calibration(expected_calibration_error=0.0417, bins=bins),
            last_loss=0.125,
        )
        for place, name in enumerate(methods)
    )
    return Report(
        title="A run <of> ours",
        db3kd_version="0.1.0",
        teacher=TeacherFigures(accuracy=0.9731, parameters=187_780, name="torch:lenet5@teacher.safetensors"),
        students=students,
        queries=Queries(total=65_432, by_stage={"decisions": 400, "mbd": 65_032}, held_out={"evaluation": 1000}),
        seconds=245.0,
        class_names=CLASSES,
        labellings=(labelling("sd"), labelling("bd"), labelling("mbd")),
        settings={"seed": 0, "label": {"methods": ["sd", "bd"], "price": None}},
        notes=("All students saw the same 400 images.",),
    )


def examples(channels: int, side: int, count: int = 2) -> list[Example]:
    generator = torch.Generator().manual_seed(5)
    pairs = torch.rand(count, 2, channels, side, side, generator=generator)
    return [Example(image, crossing, "ankle boot", "<i>sneaker", 1.234, 1480) for image, crossing in pairs]


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))


def colour(picture: Image.Image, column: int, row: int) -> tuple[int, ...]:
    found = picture.getpixel((column, row))
    assert isinstance(found, tuple)
    return found


def bare_report() -> Report:
    return Report(title="bare", db3kd_version="0", teacher=TeacherFigures(), students=(), queries=Queries(total=0))


def test_json_comes_back_as_it_went() -> None:
    assert from_json(to_json(report())) == report()
    assert from_json(to_json(bare_report())) == bare_report()
    assert json.loads(to_json(report())) == report().model_dump(mode="json")


def test_json_holds_the_keys_that_scripts_read() -> None:
    content = json.loads(to_json(report()))
    assert content["teacher"]["accuracy"] == 0.9731
    assert [student["name"] for student in content["students"]][:2] == ["true-labels", "hard-decisions"]
    assert {"name", "accuracy", "agreement", "queries", "parameters"} <= content["students"][0].keys()
    assert content["queries"] == {
        "total": 65_432,
        "by_stage": {"decisions": 400, "mbd": 65_032},
        "held_out": {"evaluation": 1000},
        "unsettled": 0,
        "repeated": None,
        "changed": 0,
    }
    assert content["seconds"] == 245.0
    assert content["labellings"][0]["outcomes"]["FOUND"] == {"pairs": 530, "sentence": "It is across."}
    assert content["labellings"][0]["median_by_classes"][0][0] is None


def test_json_is_the_same_text_each_time_and_keeps_matrix_rows_on_a_line() -> None:
    assert to_json(report()) == to_json(report())
    assert "\n        [null, 1." in to_json(report())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read"),
        ("[]", "no version"),
        ('{"title": "x"}', "no version"),
        (to_json(bare_report()).replace('"format_version": 1', '"format_version": 2'), "version 1, got 2"),
        (to_json(bare_report()).replace('"total": 0', '"total": -1'), "queries.total"),
        (to_json(bare_report()).replace('"total": 0', '"total": "0"'), "queries.total"),
        (to_json(bare_report()).replace('"seconds": null', '"seconds": NaN'), "seconds"),
        (to_json(bare_report()).replace('"title": "bare"', '"titel": "bare"'), "titel"),
    ],
)
def test_a_file_that_is_no_report_is_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(ArtifactError, match=re.escape(words)):
        from_json(text)


def test_figures_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        TeacherFigures(accuracy=97.31)
    with pytest.raises(ValidationError, match="add up to 3"):
        Queries(total=4, by_stage={"sd": 3})
    with pytest.raises(ValidationError, match="3 pairs of 4"):
        Labelling(method="sd", pairs=4, outcomes={"FOUND": OutcomeCount(pairs=3)})
    with pytest.raises(ValidationError, match="as many columns"):
        Labelling(method="sd", pairs=0, median_by_classes=((None, 1.0), (None,)))
    with pytest.raises(ValidationError, match="one edge more"):
        Histogram(edges=(0.0,), counts=(1,))
    with pytest.raises(ValidationError, match="ascend"):
        Histogram(edges=(0.0, 0.0), counts=(1,))
    with pytest.raises(ValidationError, match="1 accuracies for 2 seeds"):
        StudentFigures(name="sd", seeds=(0, 1), accuracy_by_seed=(0.5,))
    with pytest.raises(ValidationError, match="expected 10 classes"):
        Report.model_validate(report().model_dump() | {"students": [{"name": "sd", "per_class": [0.5]}]})


def test_the_student_table_has_the_teacher_first_and_dashes_for_the_unknown() -> None:
    table = tables.student_table(report())
    assert [column.title for column in table.columns] == [
        "learned from", "saw images", "accuracy", "agreement", "queries", "queries per image", "parameters"
    ]  # fmt: skip
    assert table.rows[0] == ("the teacher itself", "–", "97.31%", "–", "–", "–", "187,780")
    assert table.rows[6] == (
        "minimal boundary distance (MBD)", "400", "85.00% ± 1.41", "90.00%", "21,605", "54.0", "47,645"
    )  # fmt: skip
    unknown = StudentFigures(name="forest", label="a forest", queries=5, images=0)
    shown = tables.student_table(bare_report().model_copy(update={"students": (unknown,)}))
    assert shown.rows[1] == ("a forest", "0", "–", "–", "5", "–", "–")


def test_tables_account_for_everything() -> None:
    assert tables.query_table(report()).rows == (
        ("decisions", "400"),
        ("mbd", "65,032"),
        ("total", "65,432"),
        ("evaluation (held out, not in the total)", "1,000"),
    )
    crashed = bare_report().model_copy(update={"queries": Queries(total=9, unsettled=4)})
    assert tables.query_table(crashed).rows[1] == ("of these set aside, not known to have been sent", "4")
    assert tables.outcome_table(report().labellings[0]).rows[0] == ("FOUND", "530", "98.15%", "It is across.")
    assert tables.class_table(report()).rows[1] == ("$x$", *["–"] * 6)
    assert tables.setting_table(report()).rows == (("seed", "0"), ("label.methods", "sd, bd"), ("label.price", "–"))
    assert tables.class_table(bare_report()).rows == ()
    for table in (tables.student_table(report()), tables.class_table(report()), tables.training_table(report())):
        assert {len(row) for row in table.rows} == {len(table.columns)}


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (0.04, "0.0 s"), (59.96, "1 min 00 s"), (245.0, "4 min 05 s"), (7625.0, "2 h 07 min")],
)
def test_durations_read_as_a_person_would_say_them(seconds: float | None, shown: str) -> None:
    assert tables.duration(seconds) == shown


def test_summarise_takes_medians_over_what_was_found() -> None:
    infinite = float("inf")
    summary = summarise(
        "bd",
        torch.tensor([[9.0, 1.0, infinite], [9.0, 3.0, infinite], [4.0, 9.0, 6.0]]),
        torch.tensor([[50, 1, 2], [50, 3, 4], [5, 50, 9]]),
        torch.tensor([0, 0, 1]),
        outcomes={"FOUND": OutcomeCount(pairs=4), "NO_START": OutcomeCount(pairs=2)},
    )
    assert summary.pairs == 6
    assert summary.median_distance == 3.5
    assert summary.mean_queries_per_pair == 4.0
    assert summary.median_by_classes == ((None, 2.0, None), (4.0, None, 6.0), (None, None, None))
    assert summary.histogram is not None
    assert sum(summary.histogram.counts) == 4
    assert summary.histogram.edges[-1] == 6.0


def test_summarise_of_nothing_found_is_no_error() -> None:
    summary = summarise(
        "sd", torch.full((2, 3), torch.inf), torch.zeros(2, 3, dtype=torch.long), torch.tensor([0, 1]), outcomes={}
    )
    assert (summary.pairs, summary.median_distance, summary.mean_queries_per_pair) == (0, None, None)
    assert summary.histogram is None
    assert render(bare_report().model_copy(update={"labellings": (summary,)}))


@pytest.fixture(scope="module")
def page() -> str:
    return render(report(), examples(1, 28, count=12))


def test_the_page_shows_the_figures(page: str) -> None:
    text = " ".join("".join(ElementTree.fromstring(page).itertext()).split())
    for figure in ("97.31%", "187,780", "85.00% ± 1.41", "65,432", "4 min 05 s", "98.15%", "4.17%", "0.1250"):
        assert figure in text
    assert "ankle boot → <i>sneaker, distance 1.23, 1,480 queries" in text
    assert "All students saw the same 400 images." in text
    assert "It is across." in text
    median = report().labellings[0].median_by_classes[0][1]
    assert median is not None
    assert f"{median:.2f}" in text


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


def test_a_hundred_classes_stay_small() -> None:
    medians = [[None if row == column else 1.0 + row + column for column in range(100)] for row in range(100)]
    chart = pictures.distance_heat_map(medians, ())
    ElementTree.fromstring(chart)
    assert len(chart) < 150_000
    assert ">96</text>" in chart
    assert ">97</text>" not in chart


def test_charts_leave_matplotlib_as_it_was() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    pictures.accuracy_chart(report())
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "db3kd.report.pictures", raising=False)
    monkeypatch.delattr("db3kd.report.pictures", raising=False)
    with pytest.raises(InputError, match=re.escape("pip install 'db3kd[report]'")):
        render(bare_report())


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (2, "L"), (4, "L")])
def test_examples_are_drawn_in_gray_and_colour(channels: int, mode: str) -> None:
    drawn = draw(examples(channels, 28)[0])
    assert opened(drawn.image).mode == mode
    assert opened(drawn.difference).mode == "RGB"
    assert opened(drawn.crossing).size == (28, 28)


def test_large_examples_are_scaled_down() -> None:
    assert opened(draw(examples(3, 224)[0]).image).size == (96, 96)


def test_the_difference_is_magnified_to_the_full_range() -> None:
    image = torch.full((1, 2, 2), 0.5)
    crossing = image + torch.tensor([[[0.1, 0.0], [0.0, -0.1]]])
    drawn = draw(Example(image, crossing, "a", "b", 0.14, None))
    assert drawn.magnification == pytest.approx(10)
    pixels = opened(drawn.difference)
    red, _, blue = colour(pixels, 0, 0)
    assert red > blue
    assert colour(pixels, 1, 0) == (255, 255, 255)
    red, _, blue = colour(pixels, 1, 1)
    assert blue > red
    assert drawn.caption == "a → b, distance 0.14, – queries"


def test_other_bounds_and_no_difference_are_no_error() -> None:
    image = torch.tensor([[[-1.0, 1.0]]])
    drawn = draw(Example(image, image.clone(), "a", "b", 0.0, 1, bounds=(-1.0, 1.0)))
    assert drawn.magnification == 1.0
    assert [opened(drawn.image).getpixel((column, 0)) for column in range(2)] == [0, 255]
