"""The whole way in one line: a teacher that only decides, images or none, a student."""

import inspect
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import db3kd
from db3kd.boundary import BoundaryDistance, GuidedDistance, Measurement, MinimalBoundaryDistance
from db3kd.context import silent
from db3kd.data import ImageOptions, from_arrays, load
from db3kd.errors import BudgetExhausted, InputError, PlanError, RunError, RunMismatch
from db3kd.ledger import Prices
from db3kd.models import build
from db3kd.pipeline.story import Taken
from db3kd.teachers import FunctionTeacher, Teacher, TorchTeacher
from db3kd.training import Committee, Recipe
from known_teachers import Constant, Counting, Failing, Sectors, draw_images
from made_files import write_cifar10_folder
from made_pictures import blocks
from made_runs import MEMBERS, NETWORK, PUSHED, QUICK, SHAPE, Small, make_small, parts_of, untouched

Digits = tuple[np.ndarray, RandomForestClassifier]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


@pytest.fixture(scope="module")
def digits() -> Digits:
    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype(np.float32)
    forest = RandomForestClassifier(20, random_state=0).fit(images[:1200], labels[:1200])
    return images.reshape(-1, 1, 8, 8), forest


def _forest(digits: Digits) -> FunctionTeacher:
    _, forest = digits
    return FunctionTeacher(lambda x: forest.predict(x.reshape(len(x), -1)), input_shape=(1, 8, 8), num_classes=10)


@pytest.mark.parametrize("search", [None, "sd", "bd", "guided"])
def test_a_random_forest_without_gradients_is_a_teacher_in_one_line(digits: Digits, search: str | None) -> None:
    teacher, (images, _) = Counting(_forest(digits)), digits
    result = db3kd.distill(
        teacher,
        images[:120],
        student=NETWORK,
        search=search,
        budget=120 + 120 * 9 * 21,
        committee=replace(MEMBERS, members=1, subspace=8),
        recipe=Recipe("adam", 3e-2, epochs=15, batch_size=40),
        progress=silent,
    )
    assert result.spent == teacher.rows == result.report.queries.total <= 120 + 120 * 9 * 21
    assert (teacher.rows > 120 + 16) == (search in ("bd", "guided"))
    assert (result.distances is None) == (search is None)
    assert len(result.committee) == (search in (None, "guided"))
    assert not result.student.training
    held_out = torch.from_numpy(images[1200:])
    agreement = (result.student(held_out).argmax(1) == _forest(digits)(held_out)).float().mean()
    # Guessing agrees on a tenth.
    assert agreement > 0.5


def test_a_random_forest_is_copied_without_a_digit(digits: Digits) -> None:
    teacher, (images, _) = Counting(_forest(digits)), digits
    result = db3kd.distill(
        teacher,
        student=NETWORK,
        budget=500,
        acquisition="random",
        committee=Committee(NETWORK, members=2, choosers=2, recipe=Recipe("adam", 3e-3, epochs=9, batch_size=32)),
        recipe=Recipe("adam", 3e-3, epochs=4, batch_size=32),
        progress=silent,
    )
    held_out = torch.from_numpy(images[1200:])
    agreement = (result.student(held_out).argmax(1) == _forest(digits)(held_out)).float().mean()
    assert result.spent == teacher.rows <= 500
    # Guessing agrees on a tenth.
    assert agreement > 0.25
    assert result.report.asking is not None
    assert result.report.asking.trust is not None


def _rows(teacher: Counting) -> Sequence[tuple[str, dict[str, object], int, str]]:
    """The table of what can be made: what is given, what it costs, what the student learned from."""
    images = draw_images(teacher, 30)
    paper = {"search": Measurement(BoundaryDistance(exemplars=1), 20), "softening": "inverse"}
    chosen = replace(MEMBERS, choosers=2)
    return (
        ("the paper, with data", {"images": images, **paper}, 30 + 30 * 2 * 20 + 16, "bd"),
        ("one query an image", {"images": images, "softening": "smoothed"}, 46, "smoothed-decisions"),
        ("with a committee", {"images": images, "softening": "opinions", "committee": MEMBERS}, 46, "opinions"),
        (
            "a part of the pool",
            {
                "images": images,
                "budget": 12,
                "acquisition": "disagreement",
                "committee": chosen,
            },
            12,
            "opinions",
        ),
        ("no image at all", {"budget": 60, "committee": chosen}, 60, "opinions"),
        (
            "both together",
            {"images": images, "pool": ["images", "priors"], "budget": 60, "committee": chosen},
            60,
            "opinions",
        ),
        ("the paper, without data", {"pool": PUSHED, **paper}, 36 + 9 * 2 * (12 + 6) + 18 * 2 * 20, "bd"),
        (
            "pictures of another kind",
            {"images": images, "pool": "surrogates", "budget": 60, "committee": chosen},
            60,
            "opinions",
        ),
    )


ROWS = [*((row, True) for row in range(8)), (1, False), (4, False), (6, False)]
NAMES = [row[0].replace(" ", "-") for row in _rows(Counting(Small()))]


@pytest.mark.parametrize(
    ("number", "durable"), ROWS, ids=[f"{NAMES[row]}-{'kept' if durable else 'not-kept'}" for row, durable in ROWS]
)
def test_every_row_of_the_table_works(tmp_path: Path, number: int, durable: bool) -> None:
    teacher = Counting(Small())
    _, given, most, name = _rows(teacher)[number]
    run = tmp_path / "run" if durable else None

    def distil(teacher: Counting) -> db3kd.Result:
        return db3kd.distill(
            teacher,
            student=NETWORK,
            recipe=QUICK,
            run=run,
            progress=silent,
            **given,  # type: ignore[arg-type]  # a row's own
        )

    result = distil(teacher)
    assert 0 < result.spent == teacher.rows <= most
    assert result.report.students[-1].name == name
    assert result.student(torch.zeros(1, *SHAPE)).shape == (1, 3)
    assert len(result.answers) > 0
    if durable:
        again = distil(Counting(untouched(Small())))
        assert again.spent == result.spent
        assert all(map(torch.equal, again.student.parameters(), result.student.parameters()))
        assert (tmp_path / "run/report.html").exists()


def test_interrupted_it_goes_on_in_its_run_to_the_same_student(tmp_path: Path) -> None:
    images = draw_images(Small(), 30)

    def go(teacher: Small | Failing, folder: Path) -> None:
        db3kd.distill(
            teacher, images, student=NETWORK, budget=2000, recipe=QUICK, run=folder, search="bd", progress=silent
        )

    whole, teacher = Small(), Small()
    go(whole, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        go(Failing(teacher, 7, KeyboardInterrupt), tmp_path / "parts")
    go(teacher, tmp_path / "parts")
    assert parts_of(tmp_path / "parts") == parts_of(tmp_path / "whole")
    assert teacher.asked == whole.asked


@pytest.mark.slow
def test_a_twentieth_of_the_images_is_a_budget(tmp_path: Path) -> None:
    teacher, images = Counting(Small()), draw_images(Small(), 200)
    for run in (None, tmp_path):
        result = db3kd.distill(
            teacher, images, student=NETWORK, budget=len(images) // 20, recipe=QUICK, run=run, progress=silent
        )
        assert len(result.answers) == result.spent == 10
    assert teacher.rows == 20


def test_another_teacher_or_other_images_are_refused_in_a_run(tmp_path: Path) -> None:
    images = draw_images(Small(), 30)
    db3kd.distill(Small(), images, student=NETWORK, recipe=QUICK, run=tmp_path, progress=silent)
    with pytest.raises(RunMismatch, match="another"):
        db3kd.distill(
            Small(fingerprint="another"), images, student=NETWORK, recipe=QUICK, run=tmp_path, progress=silent
        )
    other = images + 1e-3 * (images < 0.5)
    with pytest.raises(RunMismatch, match=r"pool\.images is"):
        db3kd.distill(untouched(Small()), other, student=NETWORK, recipe=QUICK, run=tmp_path, progress=silent)


def test_pixels_of_open_pictures_lie_in_the_run_and_other_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db3kd.data.pixel_rows.KEPT_FROM", 0)
    pictures = [Image.fromarray(blocks(5 + seed % 7, 5 + seed % 4, seed=seed)) for seed in range(30)]

    def distill(teacher: Teacher) -> db3kd.Result:
        return db3kd.distill(teacher, pictures, student=NETWORK, recipe=QUICK, run=tmp_path, progress=silent)

    first = distill(Small())
    assert (tmp_path / "pixels/images.pixels").stat().st_size == 30 * 36
    assert distill(untouched(Small())).spent == first.spent
    pictures[7] = Image.fromarray(blocks(6, 6, seed=99))
    with pytest.raises(RunMismatch, match=r"pool\.images is"):
        distill(untouched(Small()))


def test_what_cannot_be_is_refused_before_a_query() -> None:
    teacher = untouched(Small())
    with pytest.raises(InputError, match=r"\(1, 6, 6\)"):
        db3kd.distill(teacher, torch.rand(5, 1, 5, 5), student=NETWORK)
    with pytest.raises(InputError, match="no image"):
        db3kd.distill(teacher, torch.rand(0, 1, 6, 6), student=NETWORK)
    with pytest.raises(InputError, match="'nearest' is unknown: expected one of sd, bd, mbd, guided"):
        db3kd.distill(teacher, torch.rand(5, *SHAPE), student=NETWORK, search="nearest")
    with pytest.raises(BudgetExhausted):
        db3kd.distill(teacher, torch.rand(5, *SHAPE), student=NETWORK, budget=0, progress=silent)


def _photos(folder: Path) -> Path:
    """24 gray pictures, some in other sizes and modes, and a file that is empty."""
    folder.mkdir()
    for number, pixels in enumerate((255 * draw_images(Small(), 24)[:, 0]).byte().numpy()):
        image = Image.fromarray(pixels)
        image = image.resize((9, 12)) if number % 5 == 0 else image.convert("RGB") if number % 5 == 1 else image
        image.save(folder / f"{number:02}.png")
    (folder / "99.jpg").write_bytes(b"")
    return folder


@pytest.mark.parametrize("form", ["folder", "text", "paths", "pictures", "items", "array", "loader"])
def test_images_come_in_the_form_that_a_user_has(tmp_path: Path, form: str) -> None:
    folder = _photos(tmp_path / "photos")
    paths = sorted(folder.glob("*.png"))
    pictures = [Image.open(path) for path in paths]
    pixels = load(str(folder), wanted=SHAPE).pixels
    forms: dict[str, object] = {
        "folder": folder,
        "text": str(folder),
        "paths": paths,
        "pictures": pictures,
        "items": [(picture, "no class") for picture in pictures],
        "array": pixels.numpy(),
        "loader": DataLoader(TensorDataset(pixels), batch_size=7),
    }
    teacher = Counting(Small())
    result = db3kd.distill(teacher, forms[form], student=NETWORK, budget=24, recipe=QUICK, progress=silent)
    assert teacher.rows == result.spent == 24
    by_id = dict(zip(result.answers.images.ids, result.answers.images.pixels, strict=True))
    assert torch.equal(torch.stack([by_id[name] for name in sorted(by_id)]), pixels)
    if form == "folder":
        assert "1 of 25 images cannot be read and were left out: 99.jpg" in result.report.notes[1]
        assert [(one.name, one.files, list(one.broken)) for one in result.report.images] == [
            ("photos/train", 25, ["99.jpg"])
        ]
        assert result.report.images[0].changes == {"scaled": 5, "grayed": 5}
    for picture in pictures:
        picture.close()


def test_what_is_no_image_is_refused_before_a_query() -> None:
    for wrong in (5, {"a": 1}, ["x.png"], "nowhere/", b"", object(), [object()]):
        for name in ("images", "held_out"):
            given: dict[str, Any] = {name: wrong}
            with pytest.raises(InputError):
                db3kd.distill(untouched(Small()), student=NETWORK, budget=5, **given)


def test_a_run_keeps_the_pixels_of_many_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db3kd.data.pixel_rows.KEPT_FROM", 0)
    folder, teacher = _photos(tmp_path / "photos"), Counting(Small())
    give = partial(db3kd.distill, teacher, folder, held_out=folder, student=NETWORK, recipe=QUICK, progress=silent)
    first = give(budget=12, run=tmp_path / "run")
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run/pixels").iterdir()}
    assert set(kept) == {"images.jsonl", "images.pixels", "held-out.jsonl", "held-out.pixels"}
    again = give(budget=24, run=tmp_path / "run")
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run/pixels").iterdir()} == kept
    assert (first.spent, again.spent, teacher.rows) == (12, 24, 48)
    assert again.report.images == first.report.images


def test_options_of_images_hold_for_both_and_a_second_start_decodes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db3kd.data.pixel_rows.KEPT_FROM", 0)
    folder, options = _photos(tmp_path / "photos"), ImageOptions(fit="pad", background=(0, 0, 0), broken_share=0.5)
    give = partial(
        db3kd.distill,
        Counting(Small()),
        folder,
        held_out=folder,
        image_options=options,
        student=NETWORK,
        recipe=QUICK,
        run=tmp_path / "run",
        progress=silent,
    )
    first = give(budget=12)
    assert [one.fit for one in first.report.images] == ["pad", "pad"]
    wanted = load(str(folder), wanted=SHAPE, options=options)
    pixels = dict(zip(wanted.ids, wanted.pixels, strict=True))
    monkeypatch.setattr("db3kd.data.decoding.form_picture", lambda *_: pytest.fail("decoded again"))
    again = give(budget=24)
    for name, found in zip(again.answers.images.ids, again.answers.images.pixels, strict=True):
        assert torch.equal(found, pixels[name])


def test_held_out_images_may_come_later_and_are_outside_the_budget(tmp_path: Path) -> None:
    teacher = Counting(Small())
    held_out = from_arrays(draw_images(Small(), 20, seed=3), Small()(draw_images(Small(), 20, seed=3)))
    images = draw_images(Small(), 24)
    for later in (None, held_out, None):
        result = db3kd.distill(
            teacher, images, student=NETWORK, budget=24, recipe=QUICK, run=tmp_path, held_out=later, progress=silent
        )
    assert (result.report.queries.total, result.report.queries.held_out, teacher.rows) == (24, {"held-out": 20}, 44)


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 48, 40)])
def test_a_teacher_of_colour_images_is_copied_without_any(shape: tuple[int, int, int]) -> None:
    teacher = Counting(Sectors(shape, 3))
    result = db3kd.distill(
        teacher,
        student=NETWORK,
        budget=16,
        committee=Committee("lenet5-fifth", members=1, choosers=2, recipe=replace(QUICK, epochs=1)),
        recipe=replace(QUICK, epochs=1),
        progress=silent,
    )
    assert result.spent == teacher.rows == len(result.answers) == 16
    assert result.answers.images.image_shape == shape
    ways = {origin.partition("/")[0] if "/" in origin else "fresh" for origin in result.answers.origins}
    assert {"fresh", "recombined"} <= ways
    assert result.student(torch.rand(2, *shape)).shape == (2, 3)


def test_progress_is_heard_by_whoever_listens(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []

    def hear(stage: str, done: int, total: int, unit: str) -> None:
        heard.append(stage)

    for progress in (hear, None):
        db3kd.distill(Small(), draw_images(Small(), 10), student=NETWORK, recipe=QUICK, progress=progress)
    assert {"answers", "repeats", "student"} <= set(heard)
    assert capsys.readouterr().out == "", "the core prints nothing"


SHORT = MinimalBoundaryDistance(BoundaryDistance(exemplars=1, tolerance=0.05), directions=10)


def test_the_alexnet_way_runs_on_files_in_cifar10s_binary_format(tmp_path: Path) -> None:
    folder = write_cifar10_folder(tmp_path / "cifar", train=(9, 5), test=10)
    train, test = load(f"cifar10:{folder}"), load(f"cifar10:{folder}", "test")
    network = build("alexnet-quarter", (3, 32, 32), 10, seed=1).eval()
    *_, last = (part for part in network.modules() if isinstance(part, torch.nn.Linear))
    # Untrained, it has a favourite class; without it, several show up.
    with torch.no_grad():
        last.bias.sub_(network(train.images()).mean(0))
    teacher = Counting(TorchTeacher(network, input_shape=(3, 32, 32), num_classes=10))
    result = db3kd.distill(
        teacher,
        train,
        student="alexnet-quarter",
        held_out=test,
        search=Measurement(SHORT, 25),
        softening="inverse",
        recipe=Recipe("adam", 5e-3, epochs=1, batch_size=7),
        progress=silent,
    )
    assert [figures.name for figures in result.report.students] == ["true-labels", "hard-decisions", "mbd"]
    assert result.distances is not None
    found = result.distances.distances.isfinite()
    # Where the teacher put some image into a class, there is a distance to it; elsewhere there is none, at no query.
    assert torch.equal(found.any(0).nonzero()[:, 0], result.answers.decisions.unique())
    assert torch.equal(result.distances.queries > 0, found)
    assert result.spent + 10 == teacher.rows
    assert all(figures.agreement is not None for figures in result.report.students)


def test_the_usual_guided_search_has_a_committee_of_its_own() -> None:
    teacher = Counting(Sectors((1, 6, 6), 3))
    result = db3kd.distill(
        teacher,
        draw_images(teacher, 12),
        student=NETWORK,
        search=GuidedDistance(directions=5),
        budget=400,
        recipe=QUICK,
    )
    assert len(result.committee) == 4
    assert result.report.queries.by_stage["mixtures"] == 24
    assert teacher.rows <= 400


def test_answers_of_another_run_are_taken_over_and_none_is_paid_again() -> None:
    teacher = Counting(Small())
    quick = Recipe("adam", 1e-2, epochs=1, batch_size=16)
    images = draw_images(teacher, 24)
    first = db3kd.distill(teacher, images, student=NETWORK, recipe=quick, progress=silent, budget=24)
    before = teacher.rows
    searched = db3kd.distill(
        teacher, pool=Taken(first.answers), student=NETWORK, recipe=quick, progress=silent, search="bd", budget=2_000
    )
    assert searched.distances is not None
    assert searched.answers.digest == first.answers.digest
    assert set(searched.report.queries.by_stage) <= {"distances", "repeats"}
    assert searched.spent == teacher.rows - before


def test_a_guided_search_goes_without_a_committee_where_it_has_no_member() -> None:
    result = db3kd.distill(
        Small(),
        draw_images(Small(), 12),
        student=NETWORK,
        recipe=Recipe("adam", 1e-2, epochs=1, batch_size=16),
        search=Measurement(GuidedDistance(directions=4, subspace=8), 12),
        committee=Committee(NETWORK, members=0),
        progress=silent,
    )
    assert result.committee == ()
    assert result.distances is not None


def test_what_queries_cost_is_told_where_their_price_is_said() -> None:
    teacher = Counting(Small())
    result = db3kd.distill(
        teacher,
        draw_images(teacher, 30),
        student=NETWORK,
        softening="smoothed",
        recipe=QUICK,
        prices=Prices(per_1000=2.0, currency="EUR"),
        progress=silent,
    )
    assert result.report.queries.money == result.spent * 2.0 / 1000 > 0


_NOTHING = (object(), 3 + 4j, b"x", range(3), Exception("x"), -(10**30))


@pytest.mark.skipif(bool(os.environ.get("SHAPES")), reason="SHAPES=1 refuses wrong types by itself")
@pytest.mark.parametrize("name", [name for name in inspect.signature(db3kd.distill).parameters if name != "run"])
@pytest.mark.parametrize("value", _NOTHING, ids=lambda one: type(one).__name__)
def test_what_no_argument_can_be_is_refused_before_a_question(name: str, value: object, tmp_path: Path) -> None:
    teacher = Counting(Small())
    given: dict[str, Any] = {"images": draw_images(teacher, 10), "student": NETWORK, "budget": 10, "run": tmp_path}
    with pytest.raises(InputError):
        db3kd.distill(**{"teacher": teacher, **given, name: value})
    assert teacher.rows == 0


@pytest.mark.parametrize("student", [nn.Linear(2, 2), nn.Linear])
def test_a_student_that_is_an_object_is_told_how_to_be_named(student: Any) -> None:
    teacher = Counting(Small())
    with pytest.raises(PlanError, match=r"write student='package.module:factory'.*input_shape="):
        db3kd.distill(teacher, draw_images(teacher, 10), student=student, budget=5)
    assert teacher.rows == 0


@pytest.mark.parametrize("device", ["", "nowhere", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_before_a_question(device: str) -> None:
    teacher = Counting(Small())
    with pytest.raises(PlanError, match="device"):
        db3kd.distill(teacher, draw_images(teacher, 10), student=NETWORK, device=device)
    assert teacher.rows == 0


def test_a_name_that_no_folder_can_have_is_refused() -> None:
    with pytest.raises(RunError, match="no path"):
        db3kd.distill(Small(), draw_images(Small(), 10), run="a\0b")


def wrong_network(*, input_shape: tuple[int, int, int], num_classes: int) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(7, num_classes))


def test_a_network_of_ones_own_that_takes_no_such_images_is_refused_before_a_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "own_networks", sys.modules[__name__])
    teacher = Counting(Small())
    with pytest.raises(PlanError, match=r"'own_networks:wrong_network' failed for images of \(1, 6, 6\)"):
        db3kd.distill(teacher, draw_images(teacher, 24), student="own_networks:wrong_network", budget=24, recipe=QUICK)
    assert teacher.rows == 0


class _Spec5:
    spec = 5

    def __call__(self, images: np.ndarray) -> np.ndarray:
        raise AssertionError("the teacher was asked")


def test_a_spec_that_is_none_is_refused() -> None:
    with pytest.raises(PlanError, match="the spec of _Spec5 is a int"):
        db3kd.distill(_Spec5(), torch.rand(5, *SHAPE), student=NETWORK)  # type: ignore[arg-type]  # as users write it


def test_a_target_ends_asking_before_the_budget(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    teacher, pool = Counting(Constant(shape=SHAPE, classes=3)), draw_images(Small(), 300)
    wish = partial(db3kd.distill, teacher, pool, student=NETWORK, recipe=QUICK, budget=140, progress=silent)
    for target, acquisition in ((0.7, None), (0.7, "random")):
        result = wish(target_agreement=target, acquisition=acquisition)
        asking = result.report.asking
        assert asking is not None
        assert (asking.ended, len(result.answers) < 120) == ("agreement", True)
    with pytest.raises(PlanError, match="target_agreement must be a number above 0 below 1"):
        wish(target_agreement=1.0)


def test_rows_that_a_teacher_answers_show_where_nobody_else_listens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A round of ten thousand questions is one part: without its rows it seems to stand still."""
    caplog.set_level("INFO", logger="db3kd.progress")
    db3kd.distill(Small(), draw_images(Small(), 40), student=NETWORK, recipe=QUICK, run=tmp_path)
    assert any(record.message.startswith("answers: ") and "queries/s" in record.message for record in caplog.records)
