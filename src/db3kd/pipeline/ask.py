"""The stage that asks about a pool, round by round: some by lot, the others as a committee's opinions say.

Each answer is noted before it is used. Which images are offered is the pool's business, which of them are asked the
acquisition's; the members that choose a round are a stage of their own (`learn`).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple, final

import torch
from torch import nn

from db3kd.acquisition import count_fresh, propose, set_aside
from db3kd.answers import Answers, Candidates, no_answers
from db3kd.errors import BudgetExhausted
from db3kd.evaluation import Gain, has_flattened, mean_logits, measure_gain
from db3kd.pipeline.asking import ANSWERS, all_of, answered, ask, teacher_key, to_kept
from db3kd.pipeline.learn import LearnCommittee
from db3kd.pipeline.story import Pushed, Story, Taken
from db3kd.pools import BoundaryPairs, ImagePool
from db3kd.runs import Keeper, Kept, Key, Outline, Part, key_of, numbered_part
from db3kd.runs.replay import Remembering
from db3kd.training import Committee, choosing_recipe

NAME = "answers"


class Asked(NamedTuple):
    """What the rounds brought."""

    answers: Answers
    gains: tuple[Gain, ...]
    ended: str


@final
class AskPool:
    """Asks about a pool."""

    kind = ANSWERS
    source = ""

    def __init__(self, story: Story, seed: int, sizes: Sequence[int]) -> None:
        assert not isinstance(story.pool, Pushed | Taken), "such a pool is not asked here"
        self._story, self._pool, self._seed, self._sizes = story, story.pool, seed, tuple(sizes)
        self._spec = story.teacher.spec
        named = story.pool.images if isinstance(story.pool, ImagePool) else None
        name, classes = ("made images", ()) if named is None else (named.name, named.class_names)
        self._none = no_answers(self._spec.input_shape, self._spec.num_classes, name=name, class_names=classes)

    @property
    def outline(self) -> Outline:
        parts = tuple(Part(numbered_part(NAME, number), queries=size) for number, size in enumerate(self._sizes))
        return Outline(NAME, parts, "rounds")

    @property
    def key(self) -> Key:
        """See `Stage`. When to end is no part of it: a run may go on with another patience."""
        rounds = self._story.rounds
        divided = {name: value for name, value in asdict(rounds).items() if name not in ("patience", "least_gain")}
        return {
            **teacher_key(self._spec),
            "pool": key_of(self._pool.key),
            "rounds": divided,
            "acquisition": key_of(self._story.acquisition),
            "choosers": self._choosers if self._chooses else None,
            "seed": self._seed,
        }

    @property
    def _choosers(self) -> Key | None:
        """Of a committee only what chooses: the members that teach may be others when a run goes on."""
        committee = self._story.committee
        return None if committee is None else {"architecture": committee.architecture, "number": committee.choosers}

    @property
    def _chooses(self) -> bool:
        return self._story.acquisition.committee and self._story.rounds.opening < 1

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        """Ask one round; what a budget leaves unasked waits in the journal."""
        answers = all_of(before, self._none)
        gains = _gains_of(before)
        members = self._members(number, answers, keeper)
        if members and number and (earlier := self._members(number - 1, all_of(before[:-1], self._none), keeper)):
            gains += compare(answers, earlier, members, keeper)
            rounds = self._story.rounds
            if rounds.patience and has_flattened(gains, least=rounds.least_gain, patience=rounds.patience):
                return to_kept(answers.take(torch.arange(0)), {**_about(gains[-1:]), "ended": "flat"}, last=True)
        about = _about(gains[len(_gains_of(before)) :])
        with keeper.asking(
            self._story.teacher,
            numbered_part(NAME, number),
            self,
            limits=self._story.budget.limits(NAME),
        ) as oracle:
            found, ended = self._ask(oracle, number, answers, members, keeper)
        if ended is not None:
            return to_kept(found, {**about, "ended": "budget"}, whole=False)
        return to_kept(found, about, last=not len(found))

    def join(self, parts: Sequence[Kept]) -> Asked:
        ended = parts[-1].about.get("ended", "all") if parts else "all"
        return Asked(all_of(parts, self._none), tuple(_gains_of(parts)), ended)

    def _members(self, number: int, answers: Answers, keeper: Keeper) -> tuple[nn.Module, ...]:
        """The networks that choose a round; none while it is opened."""
        committee = self._story.committee
        opening = round(self._story.rounds.opening * sum(self._sizes))
        if not self._chooses or committee is None or not len(answers) or len(answers) < opening:
            return ()
        return keeper.perform(_choosers(number, answers, committee, seed=self._seed))

    def _ask(
        self, oracle: Remembering, number: int, answers: Answers, members: tuple[nn.Module, ...], keeper: Keeper
    ) -> tuple[Answers, BudgetExhausted | None]:
        """Ask boundary pairs first, halving by halving, then what is chosen."""
        rounds, size, seed = self._story.rounds, self._sizes[number], (self._seed + 1) * 7919 + number
        found = self._none
        if members and rounds.pairs(size):
            pairs = BoundaryPairs(answers, rounds.pairs(size), torch.Generator().manual_seed(seed))
            for _ in range(rounds.halvings if len(pairs) else 0):
                found, ended = self._ask_some(oracle, pairs.propose(), answers, found)
                if ended is not None:
                    return found, ended
                pairs.observe(found.decisions[-len(pairs) :])
        generator = torch.Generator().manual_seed(seed)
        chosen = propose(
            self._pool,
            answers,
            members,
            size - len(found),
            rounds=rounds,
            acquisition=self._story.acquisition,
            generator=generator,
            context=keeper.context,
        )
        if isinstance(self._pool, ImagePool):
            places = {name: place for place, name in enumerate(self._pool.images.ids)}
            chosen = chosen.take(torch.tensor([places[name] for name in chosen.ids], dtype=torch.int64).argsort())
        return self._ask_some(oracle, chosen, answers, found)

    def _ask_some(
        self, oracle: Remembering, candidates: Candidates, answers: Answers, found: Answers
    ) -> tuple[Answers, BudgetExhausted | None]:
        decisions, ended = ask(oracle, candidates)
        before = answers.joined(found) if len(found) else answers
        aside = set_aside(count_fresh(before), candidates.origins, self._story.rounds.aside_every)
        return found.joined(answered(candidates, decisions, before, aside)), ended


def plan_rounds(story: Story, keeper: Keeper) -> tuple[int, ...]:
    """Divide the questions: as a run was begun, and further rounds where its budget was raised."""
    wanted = story.budget.questions(story.pool.size)
    begun = next((outline for outline in keeper.declared() if outline.name == NAME), None)
    sizes = story.rounds.sizes(wanted)
    if begun is None or begun.queries == wanted:
        return sizes if begun is None else tuple(part.queries for part in begun.parts)
    known = tuple(part.queries for part in begun.parts)
    if begun.queries > wanted:
        # What was planned stays planned; the budget ends it.
        return known
    more, growth = wanted - begun.queries, max(sizes)
    return (*known, *(len(part) for part in torch.arange(more).split(growth)))


def compare(
    answers: Answers,
    before: Sequence[nn.Module],
    after: Sequence[nn.Module],
    keeper: Keeper,
    *,
    learned_longer: bool = False,
) -> list[Gain]:
    """Tell what later members know more than earlier ones; nothing where no answer is set aside."""
    rows = (answers.aside & answers.decided).nonzero()[:, 0]
    if not before or not after or not len(rows):
        return []
    pixels, device = answers.images.pixels[rows], keeper.context.device
    earlier, later = (mean_logits(members, pixels, device=device).argmax(dim=1) for members in (before, after))
    decisions = answers.decisions[rows]
    return [measure_gain(earlier, later, decisions, queries=len(answers), learned_longer=learned_longer)]


def last_gain(story: Story, asked: Asked, members: Sequence[nn.Module], keeper: Keeper) -> list[Gain]:
    """What the committee that teaches knows more than the one that chose last; it has learned for longer too."""
    answers, committee = asked.answers, story.committee
    number = keeper.count(NAME) - 1
    if not members or committee is None or asked.ended != "all" or not keeper.count(f"choosers-{number}"):
        return []
    last = keeper.look(numbered_part(NAME, number), ANSWERS)
    assert last is not None, "it was counted"
    earlier = answers.take(torch.arange(len(answers) - len(last.tensors["decisions"])))
    choosers = _choosers(number, earlier, committee, seed=keeper.context.seed)
    return compare(answers, keeper.perform(choosers), members, keeper, learned_longer=True)


def _choosers(number: int, answers: Answers, committee: Committee, *, seed: int) -> LearnCommittee:
    recipe = choosing_recipe(len(answers.learned()))
    return LearnCommittee(f"choosers-{number}", answers, committee, recipe, members=committee.choosers, seed=seed)


def _about(gains: Sequence[Gain]) -> dict[str, str]:
    return {"gain": json.dumps(asdict(gains[0]))} if gains else {}


def _gains_of(parts: Sequence[Kept]) -> list[Gain]:
    return [Gain(**json.loads(part.about["gain"])) for part in parts if "gain" in part.about]
