"""The guided search: with a true guide it is there at once, with a false one or none it gets there by asking."""

import pytest
import torch
from torch import nn

from db3kd.boundary import ExemplarPool, Goals, Guide, Outcome, Pairs, interrogate, principal_directions
from db3kd.boundary.directions import DirectionBank, low_frequencies
from db3kd.boundary.methods import GuidedDistance, SampleDistance
from db3kd.boundary.search import ImageTurn
from db3kd.models import build
from db3kd.tensors import Float, Tensor
from known_teachers import WIDE, Ball, HalfSpace, Sectors
from questions import METHODS, Question, Stack, ask, draw_images, question


def _network(weights: Float[Tensor, "num_classes d"], bias: Float[Tensor, " num_classes"]) -> nn.Module:
    layer = nn.Linear(weights.shape[1], weights.shape[0])
    with torch.no_grad():
        layer.weight.copy_(weights)
        layer.bias.copy_(bias)
    return nn.Sequential(nn.Flatten(), layer)


def _primer(teacher: HalfSpace) -> nn.Module:
    """A network with the teacher's own boundary."""
    normal = torch.stack([-teacher.normal, teacher.normal])
    return _network(normal, torch.tensor([1.0, -1.0]) * teacher.offset)


def _guide(*primers: nn.Module, dimension: int = 64) -> Guide:
    return Guide(primers, torch.eye(dimension), bounds=WIDE)


def test_a_guide_that_knows_the_boundary_leads_there_in_a_few_queries() -> None:
    teacher = HalfSpace()
    asked = question(teacher, count=10, exemplars=120)
    answer = ask(asked, GuidedDistance(_guide(_primer(teacher))), queries=20)
    true = teacher.distances(asked.images)[answer.pairs.image_of]
    assert (answer.distances >= true * (1 - 1e-4)).all()
    assert (answer.distances <= 1.02 * true + 1e-4).all()


@pytest.mark.parametrize("teacher", [HalfSpace(), Ball(radius=8.0)], ids=["half-space", "ball"])
def test_without_a_guide_it_comes_near_by_asking(teacher: HalfSpace | Ball) -> None:
    asked = question(teacher, count=10, exemplars=120)
    answer = ask(asked, GuidedDistance(subspace=64), queries=1000)
    true = teacher.distances(asked.images)[answer.pairs.image_of]
    assert (answer.distances / true).mean() < 1.1


def test_a_false_guide_costs_queries_and_no_more() -> None:
    teacher = HalfSpace()
    asked = question(teacher, count=10, exemplars=120)
    false = _network(torch.randn(2, 64, generator=torch.Generator().manual_seed(5)), torch.tensor([4.0, 0.0]))
    sample = ask(asked, SampleDistance(), queries=0).distances
    guided = ask(asked, GuidedDistance(_guide(false)), queries=600)
    true = teacher.distances(asked.images)[guided.pairs.image_of]
    assert (guided.distances <= sample).all()
    assert (guided.distances / true).mean() < 1.25
    assert (sample / true).mean() > 3


def test_a_guide_finds_classes_that_no_exemplar_shows() -> None:
    teacher = Sectors(classes=4)
    images, others = draw_images(teacher, 3), draw_images(teacher, 80, seed=1)
    kept = others[teacher(others) != 2]
    pool = ExemplarPool(Stack(kept), teacher(kept), num_classes=4)
    asked = Question(teacher, images, teacher(images), pool, kept)
    primer = _network(teacher.weights, -0.5 * teacher.weights.sum(1))
    answer = ask(asked, GuidedDistance(Guide([primer], torch.eye(64))), queries=40)
    missing = (answer.pairs.goals.classes == 2) & answer.pairs.goals.reaching
    assert missing.any()
    assert answer.distances[missing].isfinite().all()


def test_an_answer_for_one_class_is_kept_for_every_class_of_the_image() -> None:
    teacher = Sectors(classes=4)
    images, others = draw_images(teacher, 3), draw_images(teacher, 80, seed=1)
    of_others = teacher(others)
    # Class 2 has no exemplar and there is no guide: only what was asked for other classes can find it.
    kept = others[of_others != 2]
    pool = ExemplarPool(Stack(kept), teacher(kept), num_classes=4)
    asked = Question(teacher, images, teacher(images), pool, kept)
    answer = ask(asked, METHODS["guided"], queries=300)
    missing = (answer.pairs.goals.classes == 2) & answer.pairs.goals.reaching
    met = missing & answer.distances.isfinite()
    assert met.any()
    assert teacher(answer.points[met]).eq(2).all()
    assert (answer.outcomes[missing & ~met] == Outcome.NO_START).all()


def test_a_row_that_gains_nothing_stalls() -> None:
    asked = question(Sectors(), count=2)
    answer = ask(asked, METHODS["guided"], queries=20_000)
    assert (answer.outcomes == Outcome.STALLED).all()
    assert (answer.queries < 20_000).all()


def test_a_gradient_does_not_depend_on_what_stands_beside_it() -> None:
    primer = build("lenet5-fifth", (1, 16, 16), 4, seed=2)
    guide = Guide([primer], torch.eye(256))
    points = torch.rand(150, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    goals = Goals(torch.arange(150) % 4, torch.arange(150) % 3 > 0)
    together = guide.slopes(points, goals)
    for rows in (torch.tensor([140, 3]), torch.arange(70, 80)):
        alone = guide.slopes(points[rows], Goals(goals.classes[rows], goals.reaching[rows]))
        assert torch.equal(alone.normals, together.normals[rows])
        assert torch.equal(alone.margins, together.margins[rows])


def test_the_guides_own_work_is_counted() -> None:
    guide = _guide(_primer(HalfSpace()))
    guide.slopes(torch.rand(5, 1, 8, 8), Goals.reach(torch.ones(5, dtype=torch.int64)))
    assert guide.passes == 5 * guide.looks
    assert guide.seconds > 0


def test_guides_are_told_apart_by_their_weights() -> None:
    one, same, other = (_guide(_primer(HalfSpace(seed=seed))) for seed in (0, 0, 1))
    assert repr(one) == repr(same) != repr(other)


def test_the_primer_expects_the_crossing_where_its_own_boundary_is() -> None:
    teacher = HalfSpace()
    asked = question(teacher, count=8)
    guide = _guide(_primer(teacher))
    points = guide.expect(asked.images, Goals.leave(asked.decisions), steps=40)
    lengths = torch.linalg.vector_norm((points - asked.images).flatten(1), dim=1)
    # The guide looks a little beside the points, so a short distance is not as exact as a long one.
    assert torch.allclose(lengths, 1.02 * teacher.distances(asked.images), rtol=0.02, atol=0.15)


def test_principal_directions_hold_what_normals_have_in_common() -> None:
    generator = torch.Generator().manual_seed(0)
    span, _ = torch.linalg.qr(torch.randn(30, 4, generator=generator))
    normals = torch.randn(200, 4, generator=generator) @ span.T * torch.rand(200, 1, generator=generator)
    found = principal_directions(normals, 4)
    assert torch.allclose(found @ found.T, torch.eye(4), atol=1e-5)
    assert torch.allclose(found.T @ (found @ span), span, atol=1e-4)
    assert torch.equal(found, principal_directions(normals, 4))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 6, 9)])
def test_low_frequencies_are_orthonormal_and_smooth(shape: tuple[int, int, int]) -> None:
    waves = low_frequencies(shape, 27)
    assert torch.allclose(waves @ waves.T, torch.eye(len(waves)), atol=1e-5)
    pictures = waves.view(-1, *shape)
    roughness = (pictures.diff(dim=2) ** 2).sum() / (pictures**2).sum()
    assert roughness < 1  # of white noise it is about 2


def test_a_bank_with_a_span_draws_within_it() -> None:
    span = low_frequencies((1, 8, 8), 9)
    bank = DirectionBank(64, block=5, seed=0, span=span)
    drawn = bank.take(torch.arange(20), torch.zeros(20, dtype=torch.int64), torch.arange(20) % 5)
    assert torch.allclose(drawn @ span.T @ span, drawn, atol=1e-5)
    assert torch.allclose(torch.linalg.vector_norm(drawn, dim=1), torch.ones(20))


@pytest.mark.parametrize("limit", [1, 4, 7, 100])
def test_all_rows_of_an_image_ask_in_the_same_turn(limit: int) -> None:
    images = torch.zeros(5, 1, 2, 2)
    image_of = torch.tensor([0, 0, 1, 1, 1, 2, 3, 3, 4, 0])
    pairs = Pairs(images, image_of, Goals.reach(torch.zeros(10, dtype=torch.int64)), torch.arange(10))
    turn = ImageTurn(pairs)
    wants = torch.tensor([3, 1, 2, 0, 2, 5, 1, 1, 0, 2])
    seen: list[int] = []
    for _ in range(12):
        rows, counts = turn.take(wants, torch.full((10,), 4), limit)
        assert torch.equal(counts, wants[rows].clamp(max=4))
        asking = {row for row in range(10) if wants[row] and image_of[row] in image_of[rows]}
        assert set(rows.tolist()) == asking
        seen += rows.tolist()
    assert set(seen) == {row for row in range(10) if wants[row]}


def test_what_a_row_leaves_over_goes_to_the_nearest_row_of_its_image() -> None:
    asked = question(Sectors(), count=3)
    pairs = asked.pairs()
    cap = 2000
    search = METHODS["guided"].search(pairs, asked.pool, asked.teacher.spec)
    apart = ask(asked, METHODS["guided"], queries=cap)
    shared = interrogate(asked.teacher, search, queries_per_pair=cap, share_leftovers=True).crossings
    ended = apart.outcomes != Outcome.BUDGET
    assert ended.any()
    assert not ended.all()
    for image in range(3):
        rows = (pairs.image_of == image).nonzero()[:, 0]
        assert shared.queries[rows].sum() <= cap * len(rows)
        going = rows[~ended[rows]]
        if len(going) and ended[rows].any():
            nearest = going[apart.distances[going].argmin()]
            assert shared.queries[nearest] > cap
            assert shared.distances[nearest] <= apart.distances[nearest]
