"""Could other reforms, which hit units unequally, be what is seen?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from evaluation.audit import thresholds
from evaluation.context import PolicyShock
from evaluation.contracts import Adjustment, Pipeline, Removal
from evaluation.cycle.loadings import from_before
from evaluation.cycle.slopes import pooled_slopes
from evaluation.errors import EstimationError
from evaluation.panel import Array, Panel
from evaluation.result import CheckResult, Estimate, Text, number, numbers
from evaluation.study import Study, fit_pipeline

TOGETHER: Text = {"da": "alle på én gang", "en": "all at once"}
"""The row in which all reforms are taken out together."""


@dataclass(frozen=True, slots=True)
class Reforms:
    """What is taken out: reforms with their shares by unit, after what the headline's own adjustment takes out."""

    policies: tuple[PolicyShock, ...]
    shares: tuple[Mapping[str, float], ...]
    inner: Adjustment
    inner_options: Any


def remove(panel: Panel, options: Reforms) -> Removal:
    """Σ_k δ_k × share_ik × 1(t ≥ start_k), with δ from never-treated units, on top of the inner adjustment.

    y_it − (inner amount) = α_i + θ_t + Σ_k δ_k share_ik 1(t ≥ start_k) + e_it over all periods of the never-treated units, by
    `pooled_slopes` (weighted where sizes are known). The treated unit's share is known and used; its outcomes are not. Units
    without a share are left out.

    Returns
    -------
    Removal
        `amount` (units, periods) in the outcome's unit; `terms`: "NAME" the coefficient of each reform, "NAME|se" its standard
        error, clustered by unit (CR1).

    Raises
    ------
    EstimationError
        A reform that hit all units alike, or no unit in a period of the panel, or that others explain; a treated unit
        without a share.
    """
    inner = options.inner.remove(panel, options.inner_options)
    shares = np.array([[each.get(name, np.nan) for name in panel.units] for each in options.shares])
    keep = np.isfinite(shares).all(axis=0)
    if inner.keep is not None:
        keep &= inner.keep
    since = np.array([np.arange(panel.n_periods) >= policy.start for policy in options.policies], dtype=np.float64)
    terms = np.nan_to_num(shares)[:, :, None] * since[:, None, :]
    names = tuple(policy.name for policy in options.policies)
    # what cannot be adjusted teaches nothing; the treated are left out of the slopes by what computes them
    known = panel.with_outcome(panel.outcome - inner.amount).keep_units(keep)
    found = pooled_slopes(known, terms[:, keep], names, "policy_shocks")
    moved = np.array([from_before(panel, term) for term in terms])
    coefficients = dict(zip(names, found.coefficients.tolist(), strict=True))
    coefficients |= {f"{name}|se": error for name, error in zip(names, found.std_errors.tolist(), strict=True)}
    return Removal(
        inner.amount + np.tensordot(found.coefficients, moved, axes=1),
        coefficients,
        None if keep.all() else keep,
        inner.notes,
        *_shared(inner, moved, found.covariance),
    )


def _shared(inner: Removal, moved: Array, covariance: Array) -> tuple[Array, Array]:
    """The shared slopes of both adjustments, as if their errors were independent: the second is estimated after the first."""
    if inner.regressors is None or inner.covariance is None:
        return moved, covariance
    return np.concatenate([inner.regressors, moved]), block_diag(inner.covariance, covariance)


def without_reforms(pipeline: Pipeline, units: Sequence[str], policies: Sequence[PolicyShock]) -> Pipeline:
    """The pipeline that also takes these reforms out; whatever refits it estimates their coefficients again.

    `units` are the names behind each policy's (units,) shares.
    """
    shares = tuple(
        {name: float(share) for name, share in zip(units, policy.share, strict=True) if np.isfinite(share)}
        for policy in policies
    )
    wrapped = replace(pipeline.adjustment, remove=remove, options=Reforms, idle=False)
    options = Reforms(tuple(policies), shares, pipeline.adjustment, pipeline.adjustment_options)
    return replace(pipeline, adjustment=wrapped, adjustment_options=options)


@dataclass(frozen=True, slots=True)
class _Row:
    """The answer without one reform, or without all: its coefficient where it is one."""

    name: str
    label: Text
    estimate: Estimate
    coefficient: float | None
    std_error: float | None


def check(study: Study) -> CheckResult:
    """Take out the reforms of the context, each alone and all together, and see how much the answer moves.

    The headline's pipeline is wrapped, so that every placebo estimates the coefficients again and the intervals hold their
    uncertainty. A reform that hit all units alike tells nothing and is left out.

    Returns
    -------
    CheckResult
        `value` is the largest change of the effect in placebo standard deviations. `facts`: `count` of reforms taken out, the `full`
        effect, and names `left_out`. `series`: one row for each reform, and one ("together") for all where there are several;
        coefficients are per unit of share, in the outcome's unit.
    """
    policies = study.context.policies
    if not policies:
        return CheckResult("policy_shocks", "not_run", reason="no_policies")
    if study.spread is None or study.spread <= 0:
        return CheckResult("policy_shocks", "not_run", reason="no_placebos")
    rows: list[_Row] = []
    left_out: list[str] = []
    for policy in policies:
        try:
            rows.append(_row(study, [policy], policy.name, policy.label))
        except EstimationError:
            left_out.append(policy.name)
    if not rows:
        return CheckResult("policy_shocks", "not_run", reason="not_computable", facts={"left_out": list(left_out)})
    count = len(rows)
    if count > 1:
        usable = [policy for policy in policies if policy.name not in left_out]
        try:
            rows.append(_row(study, usable, "together", TOGETHER))
        except EstimationError:
            left_out.append("together")
    effects = [row.estimate.effect for row in rows]
    value = max(abs(effect - study.headline.effect) for effect in effects) / study.spread
    return CheckResult(
        "policy_shocks",
        thresholds.status("policy_shocks", value),
        value=value,
        threshold=thresholds.threshold("policy_shocks"),
        facts={"count": count, "full": study.headline.effect, "left_out": list(left_out)},
        series={
            "names": [row.name for row in rows],
            "labels_da": [_in("da", row) for row in rows],
            "labels_en": [_in("en", row) for row in rows],
            "effects": numbers(effects),
            "lowers": [row.estimate.lower for row in rows],
            "uppers": [row.estimate.upper for row in rows],
            "coefficients": [number(row.coefficient) for row in rows],
            "std_errors": [number(row.std_error) for row in rows],
        },
    )


def _row(study: Study, policies: Sequence[PolicyShock], name: str, label: Text) -> _Row:
    panel = study.panel
    pipeline = without_reforms(study.pipeline, panel.units, policies)
    estimate = fit_pipeline(pipeline, panel, study.inference.name, study.level, study.seed).estimate
    if len(policies) > 1:
        return _Row(name, label, estimate, None, None)
    terms = estimate.details["adjustment"]
    assert isinstance(terms, dict)
    coefficient, error = terms[policies[0].name], terms[f"{policies[0].name}|se"]
    assert isinstance(coefficient, float)
    return _Row(name, label, estimate, coefficient, error if isinstance(error, float) else None)


def _in(language: str, row: _Row) -> str:
    return row.label.get(language) or next(iter(row.label.values()), row.name)
