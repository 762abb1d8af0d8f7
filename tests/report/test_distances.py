"""Medians and histograms of distances that are known beforehand."""

import torch

from db3kd.boundary import Outcome
from db3kd.report.distances import summarise
from db3kd.report.page import render
from made_report import bare_report, distances


def test_summarise_takes_medians_over_what_was_found() -> None:
    infinite = float("inf")
    found, none = Outcome.FOUND, Outcome.NO_START
    outcomes = torch.tensor([[-1, found, none], [-1, found, none], [found, -1, found]])
    bought = distances(
        torch.tensor([[9.0, 1.0, infinite], [9.0, 3.0, infinite], [4.0, 9.0, 6.0]]),
        torch.tensor([[50, 1, 2], [50, 3, 4], [5, 50, 9]]),
        outcomes,
        "bd",
    )
    summary = summarise(bought, torch.tensor([0, 0, 1]))
    assert summary.pairs == 6
    assert summary.outcomes == {"FOUND": 4, "NO_START": 2, "STALLED": 0, "BUDGET": 0}
    assert summary.median_distance == 3.5
    assert summary.mean_queries_per_pair == 4.0
    assert summary.median_by_classes == ((None, 2.0, None), (4.0, None, 6.0), (None, None, None))
    assert summary.histogram is not None
    assert sum(summary.histogram.counts) == 4
    assert summary.histogram.edges[-1] == 6.0


def test_summarise_of_nothing_found_is_no_error() -> None:
    nothing = torch.zeros(2, 3, dtype=torch.long)
    summary = summarise(distances(torch.full((2, 3), torch.inf), nothing, nothing - 1, "sd"), torch.tensor([0, 1]))
    assert (summary.pairs, summary.median_distance, summary.mean_queries_per_pair) == (0, None, None)
    assert summary.histogram is None
    assert render(bare_report().model_copy(update={"distances": (summary,)}))
