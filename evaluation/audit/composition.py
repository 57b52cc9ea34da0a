"""Are they the same people? A fixed cohort against everybody who belongs to the group at the time."""

from __future__ import annotations

import math
import tomllib

from evaluation import disclosure
from evaluation.audit import thresholds
from evaluation.audit.others import over_periods_of, with_series_of
from evaluation.errors import EstimationError
from evaluation.panel import Panel
from evaluation.result import CheckResult, Population, Value
from evaluation.spec.model import DisclosureTable
from evaluation.study import Study


def check(study: Study) -> CheckResult:
    """Compare the cohort's effect with that of each December's members ("stock"), and count who left the group.

    The headline follows those who were in the group at baseline, so its outcome drifts as they leave for work, pension or
    another municipality; the stock does not, but the programme may change who belongs to it. Where both tell the same, the
    choice does not matter. `context.variants` gives the panels: "stock", and where it is there "stock_reweighted", the stock
    weighted to the mix at baseline. Both are refitted by the headline's pipeline, with the headline's cycle series; and where
    the stock has fewer periods, so is the cohort, over those periods, so that like is compared with like.

    Counts of persons are put under the spec's disclosure rules before anything is made of them.

    Returns
    -------
    CheckResult
        `value` is |stock − cohort| in placebo standard deviations. Without a stock the check is `not_run` (`no_stock`), but
        whom the cohort lost is still in `facts` and `series`; a ready panel knows no persons (`no_registers`).
        `facts`: effects of `cohort` (over the stock's periods), `stock` and `reweighted`, in the outcome's unit;
        `exits_treated` and `exits_controls`, persons in the states of `series` at the end of the last period (who is in two
        of them counts twice), and `share_treated` and `share_controls`, the same by the persons at baseline. `series`:
        `states`, and for each of them the persons at the end of each of `periods` among the `treated` and the `controls`.
        None: too few to be shown.
    """
    stock = study.context.variants.get("stock")
    if study.population is None and stock is None:
        return CheckResult("composition", "not_run", reason="no_registers")
    known: dict[str, Value] = {"cohort": study.headline.effect, "stock": None, "reweighted": None}
    series: dict[str, Value] = {}
    if study.population is not None:
        people = _protected(study, study.population)
        known |= _exits(people)
        series = {
            "states": list(people.exits),
            "treated": [list(sides["treated"]) for sides in people.exits.values()],
            "controls": [list(sides["controls"]) for sides in people.exits.values()],
            "periods": list(people.periods),
        }
    if stock is None:
        return CheckResult("composition", "not_run", reason="no_stock", facts=known, series=series)
    cohort: float | None = study.headline.effect
    if stock.periods != study.panel.periods:
        cohort = _effect(study, over_periods_of(study.panel, stock))
    effect = _effect(study, stock)
    if effect is None or cohort is None:
        return CheckResult("composition", "not_run", reason="not_computable", facts=known, series=series)
    reweighted = study.context.variants.get("stock_reweighted")
    known |= {"cohort": cohort, "stock": effect}
    known |= {"reweighted": None if reweighted is None else _effect(study, reweighted)}
    if study.spread is None or study.spread <= 0:
        return CheckResult("composition", "not_run", reason="no_placebos", facts=known, series=series)
    change = abs(effect - cohort) / study.spread
    return CheckResult(
        "composition",
        thresholds.status("composition", change),
        value=change,
        threshold=thresholds.threshold("composition"),
        facts=known,
        series=series,
    )


def _effect(study: Study, panel: Panel) -> float | None:
    """The effect in another population, None where it cannot be computed."""
    try:
        effect = study.pipeline(with_series_of(panel, study.panel)).att
    except EstimationError:
        return None
    return effect if math.isfinite(effect) else None


def _protected(study: Study, people: Population) -> Population:
    """The persons under the spec's disclosure rules: a check's facts leave with the result."""
    text = study.record.spec_text if study.record is not None else ""
    rules = DisclosureTable.model_validate(tomllib.loads(text).get("disclosure", {}))
    return disclosure.protected_population(people, rules.minimum, rules.round)


def _exits(people: Population) -> dict[str, Value]:
    """Persons who are in some state of having left at the end of the last period, in numbers and by the persons at baseline."""
    found: dict[str, Value] = {}
    for side, persons in (("treated", people.treated), ("controls", people.controls)):
        last = [sides[side][-1] if sides[side] else None for sides in people.exits.values()]
        total = None if not last or None in last else sum(count for count in last if count is not None)
        found[f"exits_{side}"] = total
        found[f"share_{side}"] = None if total is None or persons <= 0 else total / persons
    return found
