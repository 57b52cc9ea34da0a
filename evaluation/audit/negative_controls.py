"""Does the method find an effect on what the programme cannot have moved?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluation.audit import thresholds
from evaluation.audit.others import with_series_of
from evaluation.context import NegativeControl
from evaluation.contracts import Pipeline
from evaluation.errors import EstimationError
from evaluation.inference.draws import rank_p_value
from evaluation.panel import Array, Panel
from evaluation.result import CheckResult, Estimate, Text, Value
from evaluation.study import Study, fit_pipeline, make_pipeline


@dataclass(frozen=True, slots=True)
class _Found:
    """One control outcome's estimate, with its placebo effects by unit; without placebos the mapping is empty."""

    control: NegativeControl
    estimate: Estimate
    placebos: dict[str, float]


def check(study: Study) -> CheckResult:
    """Run the headline's pipeline and inference on every negative control of the context, and test them jointly.

    Each control outcome's placebo effects, and the treated unit's, are divided by the standard deviation of the placebos; the
    statistic of a unit is its largest |t| over the outcomes, and the joint p-value is the rank of the treated unit's among
    those of the units that are placebos in every outcome. Taking whole units keeps the dependence between the outcomes. With
    one outcome this is its own p-value. Inference without placebos has no such ranks: there the smallest p-value is
    multiplied by the number of outcomes.

    The headline's cycle series serve where a panel has none. It may still lack what the headline's adjustment needs, or be one
    of those series itself: then it is only compared, and `series["adjusts"]` says so. Where it lacks the sizes that the
    inference needs, plain placebos are used. Periods after a control's `until` are left out.

    Returns
    -------
    CheckResult
        `value` is the joint p-value. `facts`: `count` of outcomes, the `largest` standardised effect and its
        `largest_name`, `units` in the joint test, `method` of it, names `left_out` because they could not be computed.
        `effects` are in each outcome's own unit.

    References
    ----------
    Lipsitch, Tchetgen Tchetgen & Cohen (2010), Epidemiology 21(3), on negative controls; Westfall & Young (1993),
    Resampling-Based Multiple Testing, section 2.2, on the maximum statistic.
    """
    if not study.context.negative_controls:
        return CheckResult("negative_controls", "not_run", reason="no_negative_controls")
    found: list[_Found] = []
    left_out: list[str] = []
    for control in study.context.negative_controls:
        try:
            found.append(_estimated(study, control))
        except EstimationError:
            left_out.append(control.name)
    if not found:
        return CheckResult("negative_controls", "not_run", reason="not_computable", facts={"left_out": list(left_out)})
    p_value, units, method = joint_p_value(found)
    if method == "placebo" and 1.0 / (1 + units) > thresholds.threshold("negative_controls"):
        return CheckResult("negative_controls", "not_run", reason="few_controls", facts={"count": units})
    sizes = [_standardised(each) for each in found]
    largest = max(range(len(found)), key=lambda place: abs(sizes[place]))
    estimates = [each.estimate for each in found]
    return CheckResult(
        "negative_controls",
        thresholds.status("negative_controls", p_value),
        value=p_value,
        threshold=thresholds.threshold("negative_controls"),
        facts={
            "count": len(found),
            "largest": sizes[largest],
            "largest_name": found[largest].control.name,
            "units": units,
            "method": method,
            "left_out": list(left_out),
        },
        series={
            "names": [each.control.name for each in found],
            "labels_da": [_in("da", each.control.label, each.control.name) for each in found],
            "labels_en": [_in("en", each.control.label, each.control.name) for each in found],
            "units_da": [_in("da", each.control.unit, "") for each in found],
            "units_en": [_in("en", each.control.unit, "") for each in found],
            "adjusts": [one.adjust for one in estimates],
            "effects": [one.effect for one in estimates],
            "lowers": [one.lower for one in estimates],
            "uppers": [one.upper for one in estimates],
            "p_values": [one.p_value for one in estimates],
            "standardised": list[Value](sizes),
        },
    )


def joint_p_value(found: Sequence[_Found]) -> tuple[float, int, str]:
    """The joint p-value, how many placebo units it rests on, and how it was found: "placebo" or "bonferroni"."""
    if not all(each.placebos for each in found):
        known = [each.estimate.p_value for each in found if each.estimate.p_value is not None]
        return (min(1.0, len(known) * min(known)) if known else math.nan), 0, "bonferroni"
    units = [name for name in found[0].placebos if all(name in each.placebos for each in found)]
    sizes = np.array([[each.placebos[name] for name in units] for each in found])
    own = np.array([each.estimate.effect for each in found])
    largest = np.abs(np.column_stack([sizes, own]) / _deviations(found)[:, None]).max(axis=0)
    return rank_p_value(largest[:-1], float(largest[-1])), len(units), "placebo"


def _deviations(found: Sequence[_Found]) -> Array:
    return np.array([np.std(list(each.placebos.values())) for each in found])


def _standardised(found: _Found) -> float:
    scale = float(_deviations([found])[0]) if found.placebos else (found.estimate.std_error or math.inf)
    return found.estimate.effect / scale


def _estimated(study: Study, control: NegativeControl) -> _Found:
    """The control outcome's estimate by the headline's way, or the nearest to it that its panel allows.

    Raises
    ------
    EstimationError
        No period is left to look at, the outcome does not vary, or nothing can be computed.
    """
    panel = with_series_of(_looked_at(control), study.panel)
    plain = make_pipeline("did", "none", {})
    compared = replace(
        study.pipeline, adjustment=plain.adjustment, adjustment_options=plain.adjustment_options
    )  # the headline's estimator without its adjustment
    tries: list[tuple[Pipeline, str]] = [
        (study.pipeline, study.inference.name),
        (compared, study.inference.name),
        (compared, "placebo"),
    ]
    for pipeline, inference in tries:
        try:
            estimate = fit_pipeline(pipeline, panel, inference, study.level, study.seed).estimate
            break
        except EstimationError:
            continue
    else:
        raise EstimationError(f"the negative control '{control.name}' cannot be computed")
    listed = estimate.details.get("placebo")
    placebos: dict[str, float] = {}
    if isinstance(listed, dict):
        names, effects = listed["units"], listed["effects"]
        assert isinstance(names, list)
        assert isinstance(effects, list)
        placebos = {
            str(name): float(effect)
            for name, effect in zip(names, effects, strict=True)
            if isinstance(effect, int | float)
        }
        if not np.std(list(placebos.values())) > 0.0:
            raise EstimationError(f"the negative control '{control.name}' does not vary")
    return _Found(control, estimate, placebos)


def _looked_at(control: NegativeControl) -> Panel:
    """The control's panel up to the last period in which it may be looked at."""
    panel = control.panel
    if control.until is None or control.until >= panel.n_periods - 1:
        return panel
    if not panel.target[:, : control.until + 1].any():
        raise EstimationError(f"the negative control '{control.name}' ends before the window")
    return panel.keep_periods(0, control.until)


def _in(language: str, text: Text, otherwise: str) -> str:
    return text.get(language) or next(iter(text.values()), otherwise)
