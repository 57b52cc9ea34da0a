"""Does one control, or one kind of control, decide?"""

from __future__ import annotations

from evaluation.audit import thresholds
from evaluation.checks.refits import donors_in_use, effect_without, without_each_donor
from evaluation.result import CheckResult, Value
from evaluation.study import Study


def check(study: Study) -> CheckResult:
    """Leave each control that carries weight out in turn, then each group of controls that the spec gives a reason to doubt.

    Adjustment and estimator are refitted. Groups are those of the context: neighbours, controls with programmes of their own,
    controls of another kind.

    Returns
    -------
    CheckResult
        `value` is the range of the estimates in placebo standard deviations. `low_unit` and `high_unit` name the control, or
        the group, without which the estimate is lowest and highest; the fact `groups` has the effect without each group.

    References
    ----------
    Abadie, Diamond & Hainmueller (2015), American Journal of Political Science 59(2), section 4 ("leave-one-out").
    """
    count = len(donors_in_use(study))
    if count < 2:
        return CheckResult("donors", "not_run", reason="few_controls", facts={"count": count})
    if study.spread is None or study.spread <= 0.0:
        return CheckResult("donors", "not_run", reason="no_placebos")
    single = without_each_donor(study)
    grouped = _without_each_group(study)
    rows = [(name, "unit", effect) for name, effect in single.items()]
    rows += [(name, "group", effect) for name, effect in grouped.items()]
    if not rows:
        return CheckResult("donors", "not_run", reason="not_computable")
    low, high = min(rows, key=lambda row: row[2]), max(rows, key=lambda row: row[2])
    value = (high[2] - low[2]) / study.spread
    groups: dict[str, Value] = dict(grouped)
    return CheckResult(
        "donors",
        thresholds.status("donors", value),
        value=value,
        threshold=thresholds.threshold("donors"),
        facts={
            "low": low[2],
            "low_unit": low[0],
            "high": high[2],
            "high_unit": high[0],
            "full": study.headline.effect,
            "count": len(single),
            "groups": groups,
        },
        series={
            "labels": [name for name, _, _ in rows],
            "effects": [effect for _, _, effect in rows],
            "kinds": [kind for _, kind, _ in rows],
        },
    )


def _without_each_group(study: Study) -> dict[str, float]:
    """The effect without each group that has a control in the panel, by the group's name."""
    controls = {
        name for name, treated in zip(study.panel.units, study.panel.treated.tolist(), strict=True) if not treated
    }
    effects: dict[str, float] = {}
    for group, names in study.context.donor_groups.items():
        members = controls.intersection(names)
        effect = effect_without(study, members) if members else None
        if effect is not None:
            effects[group] = effect
    return effects
