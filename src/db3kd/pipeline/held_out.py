"""Networks measured on held-out images that the teacher has decided."""

from dataclasses import dataclass

from torch import nn

from db3kd.answers import Answers
from db3kd.evaluation import evaluate
from db3kd.models import parameter_count
from db3kd.pipeline.ask_all import ask_held_out
from db3kd.pipeline.story import Story
from db3kd.report.figures import StudentFigures
from db3kd.runs import Keeper


@dataclass(frozen=True, eq=False)
class Measurer:
    """Measures networks on held-out images that the teacher has decided."""

    answers: Answers | None
    device: str

    def __call__(self, figures: StudentFigures, network: nn.Module) -> StudentFigures:
        """Complete a student's figures."""
        figures = figures.model_copy(update={"parameters": parameter_count(network)})
        if self.answers is None:
            return figures
        images, decisions = self.answers.images, self.answers.decisions
        return figures.measured(
            evaluate(network, images, decisions=decisions, labels=images.labels, device=self.device)
        )

    @property
    def teacher_accuracy(self) -> float | None:
        """The share that the teacher decides as labelled."""
        if self.answers is None or self.answers.images.labels is None:
            return None
        return (self.answers.decisions == self.answers.images.labels).double().mean().item()


def measurer_of(story: Story, keeper: Keeper) -> Measurer:
    """Ask about the held-out images, and keep those that the teacher gave a class.

    Cost: one query per held-out image, booked outside the budget.
    """
    if story.held_out is None:
        return Measurer(None, keeper.context.device)
    answers = keeper.perform(ask_held_out(story.teacher, story.held_out))
    rows = answers.decided.nonzero()[:, 0]
    return Measurer(answers if len(rows) == len(answers) else answers.take(rows), keeper.context.device)
