"""An oracle that looks into the answers that were paid before, and keeps those that it pays.

Put between a stage and its oracle by `db3kd.pipeline.asking` where a run keeps answers.
"""

from collections.abc import Iterator

import torch

from db3kd.answers import Answers
from db3kd.oracle import Oracle
from db3kd.teachers import TeacherSpec
from db3kd.teachers.recorded import questions
from db3kd.tensors import Float, Int, Tensor


class Recalling:
    """Asks only what was never asked before.

    Args:
        oracle: is asked the rest.
        answers: of the same teacher.
    """

    def __init__(self, oracle: Oracle, answers: Answers) -> None:
        self.spec: TeacherSpec = oracle.spec
        self._oracle, self._answers = oracle, answers

    def __call__(self, images: Float[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
        """Get the teacher's decisions; see `Oracle`."""
        if not len(images):
            return self._oracle(images)
        return torch.cat(list(self.answers(images))).to(images.device)

    def answers(self, images: Float[Tensor, "n c h w"]) -> Iterator[Int[Tensor, " b"]]:
        """Get them batch by batch; see `Oracle.answers`.

        Args:
            images: as there.

        Yields:
            As there.

        Cost: one query for each image that was not asked before.
        """
        asked = questions(images)
        known = self._answers.find(asked)
        # A question that comes twice is asked once.
        first = {question: row for row, question in reversed(list(enumerate(asked))) if question not in known}
        rows = sorted(first.values())
        done = 0
        if rows:
            for decisions in self._oracle.answers(images[rows]):
                answered = [asked[row] for row in rows[done : done + len(decisions)]]
                paid = dict(zip(answered, decisions.tolist(), strict=True))
                self._answers.keep(paid)
                known |= paid
                done += len(decisions)
        everything = torch.tensor([known[question] for question in asked], dtype=torch.int64)
        yield from everything.split(self.spec.max_batch)
