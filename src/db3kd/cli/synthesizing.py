"""`db3kd synthesize`: its arguments."""

from typing import Annotated, Literal

import typer

from db3kd.cli import options
from db3kd.cli.options import given, listed, sections

_SEARCH = "Search"
_PRIMER = "Primers"


def synthesize(
    *,
    teacher: options.TEACHER,
    run: options.RUN,
    method: Annotated[
        Literal["active", "priors", "repulsion"],
        typer.Option(
            help="active: made images, chosen in rounds by what their answers taught; priors: the same in one go; "
            "repulsion: noise, pushed away from the boundary step by step."
        ),
    ] = "active",
    queries: Annotated[
        int | None, typer.Option(help="To spend by active and priors; left out, the budget, or 10,000 without one.")
    ] = None,
    images_per_class: Annotated[int | None, typer.Option(help="Images of noise wanted of each class.")] = None,
    rounds: Annotated[
        int | None, typer.Option(help="Most rounds of noise; a class that has not shown up by then goes without.")
    ] = None,
    images_per_round: Annotated[int | None, typer.Option(help="Images of noise in a round.")] = None,
    steps: Annotated[int | None, typer.Option(help="How often each image is pushed.")] = None,
    keep: Annotated[str | None, typer.Option(help="After which steps images are kept: 5,10,20.")] = None,
    step: Annotated[float | None, typer.Option(help="How far an image is pushed, in input units.")] = None,
    halvings: Annotated[
        int | None, typer.Option(help="How often a push is halved where the class would change.")
    ] = None,
    search: Annotated[
        Literal["bd", "mbd", "guided"] | None,
        typer.Option(help="How the nearest boundary is found; mbd as in the paper.", rich_help_panel=_SEARCH),
    ] = None,
    queries_per_step: Annotated[
        int | None, typer.Option(help="Most queries of one search.", rich_help_panel=_SEARCH)
    ] = None,
    exemplars: Annotated[
        int | None, typer.Option(help="Images of other classes to bisect towards.", rich_help_panel=_SEARCH)
    ] = None,
    directions: Annotated[
        int | None, typer.Option(help="Random directions per estimate of mbd and guided.", rich_help_panel=_SEARCH)
    ] = None,
    primers: Annotated[
        int | None,
        typer.Option(help="Networks that learn from the noise and guide the guided search.", rich_help_panel=_PRIMER),
    ] = None,
    primer_architecture: Annotated[
        str | None, typer.Option(help="Their architecture: lenet5, alexnet, ...", rich_help_panel=_PRIMER)
    ] = None,
    primer_epochs: Annotated[
        int | None, typer.Option(help="Their passes over the answers.", rich_help_panel=_PRIMER)
    ] = None,
    mixtures_per_image: Annotated[
        float | None, typer.Option(help="Mixtures of noise to ask about for them.", rich_help_panel=_PRIMER)
    ] = None,
    seed: options.SEED = None,
    budget: options.BUDGET = None,
    explore_budget: options.EXPLORE_BUDGET = None,
    noise_budget: options.NOISE_BUDGET = None,
    repulsion_budget: options.REPULSION_BUDGET = None,
    input_shape: options.INPUT_SHAPE = None,
    num_classes: options.NUM_CLASSES = None,
    bounds: options.BOUNDS = None,
    max_batch: options.MAX_BATCH = None,
    levels: options.LEVELS = None,
    fingerprint: options.FINGERPRINT = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell queries and time beforehand; spend nothing of the budget.")
    ] = False,
    measure: Annotated[
        bool,
        typer.Option(help="With --dry-run: ask the teacher a few full calls, outside the budget, to tell the time."),
    ] = True,
    device: options.DEVICE = "cpu",
    as_json: options.JSON = False,
) -> None:
    """Make images for a teacher of which there are none: only its decisions are asked."""
    from db3kd.cli.work.synthesizing import foretell_synthesis, synthesize_images

    asked = sections(
        teacher=options.teacher_keys(
            teacher,
            input_shape=input_shape,
            num_classes=num_classes,
            bounds=bounds,
            max_batch=max_batch,
            levels=levels,
            fingerprint=fingerprint,
        ),
        synthesize=given(
            method=method,
            queries=queries,
            images_per_class=images_per_class,
            rounds=rounds,
            images_per_round=images_per_round,
            steps=steps,
            keep=listed(keep),
            step=step,
            halvings=halvings,
            search=search,
            queries_per_step=queries_per_step,
            exemplars=exemplars,
            directions=directions,
            primers=primers,
            primer_architecture=primer_architecture,
            primer_epochs=primer_epochs,
            mixtures_per_image=mixtures_per_image,
            seed=seed,
        ),
        budget=given(total=budget, explore=explore_budget, noise=noise_budget, repulsion=repulsion_budget),
    )
    if dry_run:
        foretell_synthesis(run, asked, measure=measure, device=device, as_json=as_json)
    else:
        synthesize_images(run, asked, device=device, as_json=as_json)
