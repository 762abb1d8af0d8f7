"""The plan's section `synthesize`: its keys. Turning them into objects is the business of `synthesis`."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_serializer

from db3kd.plan.section import Count, Positive, Section

# What images that are made by asking heed, and what repulsion does not.
_OF_ASKING = frozenset({"method", "queries", "primer_architecture", "seed"})
_NOT_OF_REPULSION = frozenset({"queries"})


class SynthesizeSection(Section):
    """How images are made where there are none: by `db3kd synthesize`, or by a plan without images.

    Args:
        method: "active": made images, chosen in rounds by what their answers taught; "priors": the same in one go;
            "repulsion", the paper's: noise that is pushed away from the boundary step by step.
        queries: to spend by active and priors; left out, the total of the budget, if there is one.
        images_per_class: so many images of noise of each class are wanted.
        rounds: most rounds of noise; a class that has not shown up by then goes without.
        images_per_round: by default as many as are wanted of all classes together.
        steps: how often each image is pushed.
        keep: after which steps the images are kept; by default every fifth.
        step: how far an image is pushed.
        halvings: how often a push is halved before the image stays where it is.
        search: how the nearest boundary is found: "mbd" (Sign-OPT, as in the paper), "guided" or "bd".
        queries_per_step: most queries of one search; by default 50 for guided, 200 for mbd, what it can use for bd.
        exemplars: images of other classes that bd and the start of mbd bisect towards.
        directions: random directions per estimate; 40 for mbd, 20 for guided.
        primers: networks that learn from the noise and guide the guided search; 0 for none.
        primer_architecture: theirs.
        primer_epochs: their passes over the answers.
        mixtures_per_image: mixtures of noise to ask about for them beside, per image.
        seed: of all random choices.
    """

    method: Literal["active", "priors", "repulsion"] = "active"
    queries: PositiveInt = 10_000
    images_per_class: PositiveInt = 200
    rounds: PositiveInt = 15
    images_per_round: PositiveInt | None = None
    steps: PositiveInt = 40
    keep: tuple[PositiveInt, ...] | None = None
    step: Positive = 0.5
    halvings: Count = 5
    search: Literal["bd", "mbd", "guided"] = "guided"
    queries_per_step: PositiveInt | None = None
    exemplars: PositiveInt = 3
    directions: PositiveInt | None = None
    primers: Count = 0
    primer_architecture: str = "lenet5"
    primer_epochs: PositiveInt | None = None
    mixtures_per_image: Annotated[float, Field(ge=0)] = 0.0
    seed: int = 0

    @model_serializer(mode="wrap")
    def _without_the_unheeded(self, whole: Callable[[Section], dict[str, object]]) -> dict[str, object]:
        """A run keeps what was heeded, so that its plan may be given to another run."""
        return {name: value for name, value in whole(self).items() if name in self._heeded}

    @property
    def _heeded(self) -> frozenset[str]:
        every = frozenset(type(self).model_fields)
        return every - _NOT_OF_REPULSION if self.method == "repulsion" else _OF_ASKING

    @property
    def unheeded(self) -> str | None:
        """What was written and means nothing to the method, as a sentence; None where all of it is heeded."""
        idle = self.model_fields_set - self._heeded
        if self.method == "repulsion":
            why = "what repulsion asks follows from its images, steps and queries a step, and the budget bounds it"
        else:
            why = f"images that {self.method} makes are asked about as they are, and pushed by no search"
        return f"{', '.join(sorted(idle))} cannot be heeded by method {self.method}: {why}" if idle else None
