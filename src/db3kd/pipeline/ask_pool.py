"""The stage that asks about a pool, round by round: the first ones spread over it, the others as a committee says.

Each answer is noted before it is used. Which images are offered is the pool's business, which of them are asked the
acquisition's; the members that choose a round are a stage of their own (`learn`).
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import takewhile
from typing import NamedTuple, final

import torch
from torch import nn

from db3kd.acquisition import Choosers, Step, Way, count_fresh, propose, set_aside
from db3kd.acquisition.duplicates import draw_new
from db3kd.acquisition.spread import draw_spread
from db3kd.answers import SPREAD, Answers, Candidates, found_by, is_fresh, no_answers, together
from db3kd.augmentation import view_questions
from db3kd.errors import BudgetExhausted
from db3kd.evaluation import Gain, has_flattened, predict_together
from db3kd.pipeline.asking import ANSWERS, all_of, answered, ask, class_names_of, nothing_to_learn, teacher_key, to_kept
from db3kd.pipeline.gains import as_text, compare, gains_of, trust_in
from db3kd.pipeline.learn import choosers
from db3kd.pipeline.rounds import NAME, has_judges, noted
from db3kd.pipeline.scoring import scores_of
from db3kd.pipeline.story import Pushed, Story, Taken
from db3kd.pipeline.trial import tried
from db3kd.pools import BoundaryPairs
from db3kd.runs import Keeper, Kept, Key, Outline, Part, key_of, numbered_part
from db3kd.runs.replay import Remembering

_log = logging.getLogger(__name__)

_CHOSEN: Way = "chosen"
# They ask what earlier steps could not; without such a step, views ask at random what they cannot transform.
_TAKING: tuple[Way, ...] = ("lot", _CHOSEN)
# They say when asking ends, and nothing of what is asked.
_ENDS = ("patience", "least_gain", "target_agreement")
# Of so many answers, and of a tenth of the questions, one at least must be a class.
_FEW, _TENTH = 100, 10


class Asked(NamedTuple):
    """What the rounds brought; `opening` answers came before a committee first chose."""

    answers: Answers
    opening: int = 0
    gains: tuple[Gain, ...] = ()
    ended: str = "all"
    rounds: tuple[Step, ...] = ()


@final
class AskPool:
    """Asks about a pool."""

    kind = ANSWERS
    source = ""

    def __init__(self, story: Story, seed: int, steps: Sequence[Step]) -> None:
        assert not isinstance(story.pool, Pushed | Taken), "such a pool is not asked here"
        self._story, self._pool, self._seed, self._steps = story, story.pool, seed, tuple(steps)
        self._spec = story.teacher.spec
        images = story.images
        name, classes = "made images" if images is None else images.name, class_names_of(self._spec, images)
        self._none = no_answers(self._spec.input_shape, self._spec.num_classes, name=name, class_names=classes)

    @property
    def outline(self) -> Outline:
        steps = enumerate(self._steps)
        parts = tuple(Part(numbered_part(NAME, number), queries=step.size, way=step.way) for number, step in steps)
        rounds = asdict(self._story.rounds)
        return Outline(NAME, parts, "rounds", ends=json.dumps({name: rounds[name] for name in _ENDS}))

    @property
    def key(self) -> Key:
        """See `Stage`. When to end is no part of it."""
        rounds = self._story.rounds
        divided = {name: value for name, value in asdict(rounds).items() if name not in _ENDS}
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
        if committee is None:
            return None
        asked: dict[str, object] = {"architecture": committee.architecture, "number": committee.choosers}
        if committee.rivals:
            asked["rivals"] = list(committee.rivals)
        if not committee.learns_from(self._story.images):
            return asked
        return {**asked, "unasked": committee.unasked, "seen": committee.seen, "recipe": key_of(committee.recipe)}

    @property
    def _chooses(self) -> bool:
        return has_judges(self._story) and self._story.rounds.opening < 1

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        """Ask one round; what a budget leaves unasked waits in the journal."""
        answers, known = all_of(before, self._none), gains_of(before)
        if len(answers) >= max(_FEW, self.outline.queries / _TENTH) and not bool(answers.decided.any()):
            # More questions would most likely bring none either: names that are written otherwise, or wrong images.
            raise nothing_to_learn(answers, self._spec)
        opening = self._opening(before)
        members, more = self._members(number, answers, opening, keeper), list[Gain]()
        earlier = self._members(number - 1, all_of(before[:-1], self._none), opening, keeper) if members else ()
        if earlier:
            asked = len(before[-1].tensors["decisions"])
            more = compare(answers, earlier, members, keeper, since=len(answers) - asked)
        about = {**as_text(more), **noted(self._steps[number])}
        if members and (ended := self._end((*known, *more), answers, members, keeper)):
            return to_kept(answers.take(torch.arange(0)), {**about, "ended": ended}, last=True)
        most = self._most(number, len(answers), keeper)
        with keeper.asking(self._story.teacher, self, number, limits=self._story.budget.limits(NAME)) as oracle:
            found, budget_ended = self._ask(oracle, number, answers, members, keeper, most=most)
        if budget_ended is not None:
            return to_kept(found, {**about, "ended": "budget"}, whole=False)
        figures = {"round": float(number), "asked": float(len(found))}
        keeper.context.tracker(NAME, len(answers) + len(found), figures)
        return to_kept(found, about, last=not len(found) and self._steps[number].way != "views")

    def join(self, parts: Sequence[Kept]) -> Asked:
        ended = parts[-1].about.get("ended", "all") if parts else "all"
        answers, rounds = all_of(parts, self._none), list[Step]()
        # Steps that the end of a budget, or of the gains, left out have no part.
        for step, part in zip(self._steps, parts, strict=False):
            first, size = sum(done.size for done in rounds), len(part.tensors["decisions"])
            origins = answers.origins[first : first + size]
            instead = sum(map(is_fresh, origins)) if step.way == "views" else 0
            rounds.append(Step(self._way(step, origins), size - instead))
            if instead:
                rounds.append(Step("lot", instead))
        return Asked(answers, self._opening(parts), tuple(gains_of(parts)), ended, tuple(rounds))

    def _way(self, step: Step, origins: Sequence[str]) -> Way:
        """How a step was asked in the end."""
        if self._pool.size is None or step.way not in _TAKING:
            return step.way
        found = set(map(found_by, origins))
        return "spread" if SPREAD in found else _CHOSEN if _CHOSEN in found else "lot"

    def _most(self, number: int, asked: int, keeper: Keeper) -> int | None:
        """How many questions of a round the budget allows, though more were planned; what was asked of it stays."""
        images = self._story.budget.images
        return None if images is None else max(images - asked, keeper.noted(numbered_part(NAME, number)))

    def _opening(self, parts: Sequence[Kept]) -> int:
        """How many answers came before the first round that a committee may choose."""
        done = takewhile(lambda both: both[0].way != _CHOSEN, zip(self._steps, parts, strict=False))
        return sum(len(part.tensors["decisions"]) for _, part in done)

    def _members(self, number: int, answers: Answers, opening: int, keeper: Keeper) -> tuple[nn.Module, ...]:
        """The networks that choose a round; none while it is opened."""
        committee, chosen = self._story.committee, self._steps[number].way == _CHOSEN
        if not self._chooses or committee is None or not len(answers.learned()) or not chosen:
            return ()
        settled = tried(committee, answers, opening, keeper, self._story.images)
        return keeper.perform(choosers(number, answers, settled, self._story.images, seed=self._seed))

    def _end(self, gains: Sequence[Gain], answers: Answers, members: Sequence[nn.Module], keeper: Keeper) -> str:
        """Why asking ends here; nothing where it goes on."""
        rounds, target = self._story.rounds, self._story.rounds.target_agreement
        if target is not None and (trust_in(answers, members, keeper).lower or 0.0) >= target:
            return "agreement"
        flat = rounds.patience and has_flattened(gains, least=rounds.least_gain, patience=rounds.patience)
        return "flat" if flat else ""

    def _ask(
        self,
        oracle: Remembering,
        number: int,
        answers: Answers,
        members: tuple[nn.Module, ...],
        keeper: Keeper,
        *,
        most: int | None,
    ) -> tuple[Answers, BudgetExhausted | None]:
        """Ask boundary pairs first, halving by halving, then what is chosen."""
        rounds, step, seed = self._story.rounds, self._step(number, len(answers)), (self._seed + 1) * 7919 + number
        found = self._none
        if members and rounds.pairs(step.size):
            pairs = BoundaryPairs(answers, rounds.pairs(step.size), torch.Generator().manual_seed(seed))
            for _ in range(rounds.halvings if len(pairs) else 0):
                found, ended = self._ask_some(oracle, pairs.propose(), answers, found, most=most)
                if ended is not None:
                    return found, ended
                pairs.observe(found.decisions[-len(pairs) :])
        left, generator = step.size - len(found), torch.Generator().manual_seed(seed)
        chosen = self._choose(step, answers, members, left, generator, keeper)
        lacking = left - len(chosen)
        if lacking and step.way == "views" and not any(later.way in _TAKING for later in self._steps[number + 1 :]):
            chosen = together([chosen, draw_new(self._pool, answers, lacking, generator)])
        return self._ask_some(oracle, chosen, answers, found, aside=step.way == "aside", most=most)

    def _step(self, number: int, asked: int) -> Step:
        """Give a step with what earlier ones could not ask of a pool; `asked` answers came before it.

        Where few images are decided, few can be transformed.
        """
        step, planned = self._steps[number], sum(step.size for step in self._steps[:number])
        if self._pool.size is None or step.way not in _TAKING:
            return step
        return replace(step, size=step.size + max(0, planned - asked))

    def _choose(
        self,
        step: Step,
        answers: Answers,
        members: tuple[nn.Module, ...],
        count: int,
        generator: torch.Generator,
        keeper: Keeper,
    ) -> Candidates:
        """Choose the images of a step."""
        if step.way == "views":
            return view_questions(answers, count, generator)
        if step.way == "aside":
            # A fair sample holds copies as often as the pool does.
            return self._in_order(self._pool.draw(count, answers, generator))
        by_lot = self._pool.size is not None and not self._story.acquisition.committee
        if step.way != _CHOSEN or by_lot or not self._is_trusted(answers, members, keeper):
            draw = draw_spread if self._story.acquisition.committee else draw_new
            return self._in_order(draw(self._pool, answers, count, generator))
        chosen = propose(
            self._pool,
            answers,
            Choosers(members, keeper.context, partial(scores_of, stage="choice")),
            count,
            rounds=self._story.rounds,
            acquisition=self._story.acquisition,
            generator=generator,
        )
        if self._pool.size is None:
            return chosen
        # What was not drawn at random does not tell how frequent a class is.
        return self._in_order(chosen.found(_CHOSEN))

    def _is_trusted(self, answers: Answers, members: Sequence[nn.Module], keeper: Keeper) -> bool:
        """Whether a committee knows enough of a pool to choose better than the lot; so where nothing is set aside.

        Abstentions count here, unlike in what a report says of trust: many pools are mostly of no class, and a
        committee that sees this can choose.
        """
        least, rows = self._story.rounds.trusted_from, answers.unseen()
        if self._pool.size is None or not members or not least or not len(rows):
            return True
        said = predict_together(members, answers.images.pixels[rows], device=keeper.context.device)
        agreement = float((said == answers.decisions[rows]).float().mean())
        if agreement >= least:
            return True
        _log.info(
            "the committee agrees with %.0f%% of the answers set aside, and chooses from %.0f%% on: this round is "
            "drawn without it",
            100 * agreement,
            100 * least,
        )
        return False

    def _in_order(self, chosen: Candidates) -> Candidates:
        """Put images at hand into the order that they have there."""
        images = self._story.images
        if images is None:
            return chosen
        return chosen.take(torch.tensor([images.row_of(name) for name in chosen.ids], dtype=torch.int64).argsort())

    def _ask_some(
        self,
        oracle: Remembering,
        candidates: Candidates,
        answers: Answers,
        found: Answers,
        *,
        aside: bool = False,
        most: int | None,
    ) -> tuple[Answers, BudgetExhausted | None]:
        allowed = candidates.first(None if most is None else most - len(found))
        decisions, ended = ask(oracle, allowed)
        if ended is None and most is not None and len(allowed) < len(candidates):
            asked = len(answers) + len(found) + len(allowed)
            ended = BudgetExhausted(NAME, len(candidates) - len(allowed), asked, len(answers) + most)
        before = answers.joined(found) if len(found) else answers
        marks = torch.full((len(candidates),), aside)
        if self._pool.size is None:
            marks = set_aside(count_fresh(before), candidates.origins, self._story.rounds.aside_every)
        return found.joined(answered(candidates, decisions, before, marks)), ended
