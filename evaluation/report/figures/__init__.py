"""The figures: one file each, one line each in the registry, in the order of the page."""

from __future__ import annotations

from evaluation.report.figures import (
    answer_interval,
    donor_weights,
    event_study,
    every_unit_treated,
    flow,
    forest,
    honest_did,
    leave_one_out,
    love_plot,
    observed_expected,
    placebo_gaps,
    placebo_in_time,
    power_curve,
    rank_strip,
    real_size,
    secondary,
    waterfall,
)
from evaluation.report.figures.base import NARROW, PAGE, PLAIN, WIDE, Figure, FigureText, Palette

FIGURES: dict[str, Figure] = {
    figure.key: figure
    for figure in (
        answer_interval.FIGURE,
        observed_expected.SMALL,
        flow.FIGURE,
        observed_expected.FIGURE,
        waterfall.FIGURE,
        forest.LADDER,
        event_study.FIGURE,
        forest.FIGURE,
        placebo_gaps.FIGURE,
        rank_strip.FIGURE,
        secondary.FIGURE,
        power_curve.FIGURE,
        every_unit_treated.FIGURE,
        placebo_in_time.FIGURE,
        honest_did.FIGURE,
        leave_one_out.FIGURE,
        love_plot.FIGURE,
        donor_weights.FIGURE,
        real_size.FIGURE,
    )
}

__all__ = ["FIGURES", "NARROW", "PAGE", "PLAIN", "WIDE", "Figure", "FigureText", "Palette"]
