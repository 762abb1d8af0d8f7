"""The paper's way without images, as one: noise, a committee that learns from it where the search wants one, pushing.

The stages themselves are in `repel`; `tell` begins here where a pool is `Pushed`.
"""

from db3kd.boundary import Guide
from db3kd.pipeline.ask_all import MIXTURES, ask_mixtures
from db3kd.pipeline.kept import KEPT
from db3kd.pipeline.learn import LearnCommittee, outline_of
from db3kd.pipeline.measure import guide_by
from db3kd.pipeline.repel import AskNoise, Made, PushNoise, all_noise, draw_starts
from db3kd.pipeline.repel import outline_of as outline_of_pushing
from db3kd.pipeline.story import Pushed, Story
from db3kd.runs import Keeper, Outline, Part

NOISE_MIXTURES = f"noise-{MIXTURES}"
_COMMITTEE, _SUBSPACE = "noise-committee", "noise-subspace"


def push(story: Story, pool: Pushed, keeper: Keeper) -> Made:
    """Ask about noise, and push some of it, at the cost that `foretell_push` says at most; see `Pushed`."""
    teacher, budget, seed = story.teacher, story.budget, keeper.context.seed
    spec = teacher.spec
    decisions = keeper.perform(AskNoise(teacher, pool.noise, budget=budget, seed=seed))
    starts = draw_starts(spec, pool.noise, decisions, seed=seed)
    guide: Guide | None = None
    committee = pool.committee
    if committee is not None and pool.repulsion.method.guided:
        noise = all_noise(spec, pool.noise, decisions, seed=seed)
        count = committee.mixtures_for(len(noise))
        learned = noise
        if count:
            mixing = ask_mixtures(teacher, noise, count, budget=budget, seed=seed, name=NOISE_MIXTURES)
            learned = noise.joined(keeper.perform(mixing))
        stage = LearnCommittee(_COMMITTEE, learned, committee, members=committee.members, seed=seed)
        guide = guide_by(_SUBSPACE, keeper.perform(stage), noise, committee.subspace, keeper)
    made = keeper.perform(PushNoise(teacher, pool, starts, guide=guide, budget=budget, seed=seed))
    return made.with_noise(decisions)


def foretell_push(story: Story, pool: Pushed, keeper: Keeper) -> list[Outline]:
    """Name the stages beforehand, with what they cost at most."""
    spec, committee = story.teacher.spec, pool.committee
    stages = [AskNoise(story.teacher, pool.noise, budget=story.budget, seed=keeper.context.seed).outline]
    if committee is not None and pool.repulsion.method.guided:
        noise = pool.noise.rounds * pool.noise.per_round(spec.num_classes)
        mixed = committee.mixtures_for(noise)
        stages += [Outline(NOISE_MIXTURES, (Part(NOISE_MIXTURES, mixed),))] if mixed else []
        # At most: little noise is learned for longer.
        recipe = committee.recipe_for(pool.noise.per_round(spec.num_classes))
        stages.append(outline_of(_COMMITTEE, committee.members, recipe))
    stages.append(outline_of_pushing(pool.starts(spec.num_classes), spec, pool.repulsion))
    return [*stages, KEPT]
