"""Committee and student once more on the answers of a run: again.py RUN OUT, with the recipe of this commit."""

import sys
from pathlib import Path

from db3kd.context import Context
from db3kd.data import load
from db3kd.evaluation import evaluate, mean_logits, predict
from db3kd.models import weights
from db3kd.pipeline.bought import Bought
from db3kd.pipeline.kept import kept_answers
from db3kd.pipeline.learn import LearnCommittee
from db3kd.pipeline.lessons import lessons_for
from db3kd.pipeline.story import CommitteeLesson
from db3kd.pipeline.teach import Teach, recipe_for
from db3kd.pools import ImagePool
from db3kd.progress import showing
from db3kd.runs import Keeper, Run, existing
from db3kd.training import Committee


def main() -> None:
    """Train and measure."""
    teacher, _ = weights.from_file(Path("records/2026-11-22-fashion-mnist/teacher.safetensors"))
    pool, test = load("fashion-mnist", "train"), load("fashion-mnist", "test")
    decisions = predict(teacher, test)
    with existing(sys.argv[1]) as run:
        answers = kept_answers(Keeper(run))
    with Run(sys.argv[2]) as run, showing(lambda text: sys.stderr.write(text + "\n")) as stages:
        keeper = Keeper(run, Context(progress=stages))
        stage = LearnCommittee("committee", answers, Committee(), members=2, seed=0, pool=pool)
        committee = keeper.perform(stage)
        said = mean_logits(committee, test).argmax(1)
        both = [(said == known).double().mean().item() for known in (test.labels, decisions)]
        sys.stdout.write(f"committee {both}\n")
        bought, lesson = Bought(answers, answers.take(answers.learned()[:0]), committee), CommitteeLesson()
        for architecture in ("lenet5-half", "lenet5"):
            recipe = recipe_for(lesson, architecture, len(answers), pool)
            lessons = lessons_for(lesson, bought, ImagePool(pool), recipe, keeper.context)
            about = {"lesson": "opinions"}
            student = keeper.perform(
                Teach(
                    architecture,
                    lessons,
                    architecture,
                    recipe,
                    about=about,
                    source=bought.digest,
                    num_classes=10,
                    seed=0,
                )
            )
            found = evaluate(student, test, decisions=decisions, labels=test.labels)
            sys.stdout.write(f"{architecture} {found.accuracy} {found.agreement}\n")


if __name__ == "__main__":
    main()
