"""Looking ahead, for `evaluate SPEC --plan`: the same spec and data, and a start that may lie after the last of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evaluation.periods import Period, parse_period
from evaluation.run import Progress, data_line, judge_publication, options_of, panel_of
from evaluation.spec.loaded import LoadedSpec

if TYPE_CHECKING:
    from evaluation.planning.plan import Plan


def look_ahead(loaded: LoadedSpec, *, progress: Progress | None = None, seed: int | None = None) -> Plan:
    """What a comparison that has not been made yet could find.

    Parameters
    ----------
    loaded : LoadedSpec
        As for an evaluation; the start may lie after the data, and `[plan]` says what to look at.
    progress : callable, optional
        Called with a stage and a line of text as the run goes on.
    seed : int, optional
        Instead of the spec's.

    Raises
    ------
    DataError, EstimationError, DisclosureError
        The data do not fit the spec, the headline's estimator cannot be computed, nothing may be published.
    """
    from evaluation.design import describe
    from evaluation.planning.look import Planned, look
    from evaluation.spec.plan_table import PlanTable
    from evaluation.study import make_pipeline

    say = progress or (lambda stage, text: None)
    spec = loaded.spec
    judge_publication(loaded)
    shown, later = _within_the_data(loaded)
    prepared = panel_of(shown, say)[0]
    panel = prepared.panel
    rows = tuple(row for row in range(panel.n_units) if panel.treated[row])
    start = spec.treatment.first
    first = panel.periods[min(panel.starts)] if start is None else parse_period(start)
    design = describe(shown.spec, panel, prepared.exclusions)
    say("Data", data_line(prepared).split(" treated from")[0].rpartition(",")[0] + f", planned from {first}")
    if later:
        # nothing has happened yet: the planned units are as untreated as all others
        panel = panel.assign({})
    options = options_of(spec.headline.options, spec.data.outcome)
    planned = Planned(
        panel=panel,
        pipeline=make_pipeline(spec.headline.method, spec.cycle.adjust, options, spec.cycle.options),
        rows=rows,
        start=first,
        steps=first.ordinal - panel.periods[0].ordinal,
        level=spec.inference.level,
        power=(spec.plan or PlanTable()).power,
        seed=spec.seed if seed is None else seed,
    )
    return look(planned, loaded, design, say)


def plan_lines(plan: Plan, language: str) -> list[str]:
    """The plan in words; see `evaluation.report.plan`."""
    from evaluation.report.plan import lines

    return lines(plan, language)


def _within_the_data(loaded: LoadedSpec) -> tuple[LoadedSpec, bool]:
    """The spec with starts after the last period of the data moved to it, so that its panel can be built; and whether one was.

    The window is left out: how many periods count is what is planned.
    """
    treatment = loaded.spec.treatment
    last = _last(loaded)

    def moved(when: int | str) -> int | str:
        period = parse_period(when)
        return last.label if last is not None and period.frequency == last.frequency and period > last else when

    start = None if treatment.start is None else moved(treatment.start)
    starts = {name: moved(when) for name, when in treatment.starts.items()}
    later = start != treatment.start or any(starts[name] != when for name, when in treatment.starts.items())
    within = treatment.model_copy(update={"start": start, "starts": starts, "window": None})
    return replace(loaded, spec=loaded.spec.model_copy(update={"treatment": within})), later


def _last(loaded: LoadedSpec) -> Period | None:
    """The last period of the data; None where it is not known."""
    registers = loaded.spec.registers
    if registers is None:
        from evaluation.prepare import last_period

        return last_period(loaded)
    year = registers.periods[1]
    if registers.outcome.frequency == "quarter":
        return Period("quarter", 4 * year + 3)
    return Period("year", year) if registers.outcome.frequency == "year" else None
