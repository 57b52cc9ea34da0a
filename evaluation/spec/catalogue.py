"""What there is to choose from: the names a spec may use, and the names that are planned but not built.

The catalogue is handed in from above, so that reading a spec needs no estimator, no numpy and no data frame.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from evaluation.errors import nearest

Kind: TypeAlias = Literal["estimator", "inference", "adjustment", "check"]

PLANNED: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        "estimator": (),
        "inference": (),
        "adjustment": (),
        "check": (),
    }
)
"""Names the design knows whose code is not written: refused as "not available yet", never as unknown."""

ALWAYS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {"estimator": (), "inference": ("default",), "adjustment": ("none",), "check": ()}
)
"""Words that stand for no entry of their own, but may be written."""

# what people call things: spelling alone would take 'sdid' for 'did'
_KNOWN_AS: Mapping[str, str] = MappingProxyType(
    {
        "sdid": "synthetic_did",
        "synthdid": "synthetic_did",
        "sc": "synthetic_control",
        "scm": "synthetic_control",
        "synth": "synthetic_control",
        "ascm": "augmented_synthetic_control",
        "augsynth": "augmented_synthetic_control",
        "ridge_ascm": "augmented_synthetic_control",
        "multisynth": "partially_pooled_synthetic_control",
        "ppscm": "partially_pooled_synthetic_control",
        "dd": "did",
        "diff_in_diff": "did",
        "difference": "did",
        "differences": "did",
        "difference_in_difference": "did",
        "difference_in_differences": "did",
        "twfe": "did",
        "es": "event_study",
        "sunab": "sun_abraham",
        "interaction_weighted": "sun_abraham",
        "iw": "sun_abraham",
        "etwfe": "extended_twfe",
        "jwdid": "extended_twfe",
        "wooldridge": "extended_twfe",
        "mundlak": "extended_twfe",
        "cs": "callaway_santanna",
        "csdid": "callaway_santanna",
        "att_gt": "callaway_santanna",
        "drdid": "dr_did",
        "doubly_robust": "dr_did",
        "sts": "structural_time_series",
        "bsts": "structural_time_series",
        "causal_impact": "structural_time_series",
        "causalimpact": "structural_time_series",
        "intensity": "dose_response",
        "contdid": "dose_response",
        "continuous_did": "dose_response",
        "cic": "changes_in_changes",
        "mc": "matrix_completion",
        "ife": "interactive_fixed_effects",
        "bjs": "imputation",
        "did_imputation": "imputation",
        "borusyak": "imputation",
        "did2s": "two_stage",
        "gardner": "two_stage",
        "staggered": "efficient_staggered",
        "roth_santanna": "efficient_staggered",
        "ddd": "triple_difference",
        "triple_diff": "triple_difference",
        "wcb": "wild_bootstrap",
        "wild_cluster_bootstrap": "wild_bootstrap",
        "boottest": "wild_bootstrap",
        "cr2": "cluster_cr2",
        "dk": "driscoll_kraay",
        "nw": "newey_west",
        "hac": "newey_west",
        "two_way": "two_way_cluster",
        "twoway": "two_way_cluster",
        "gsynth": "interactive_fixed_effects",
        "generalized_synthetic_control": "interactive_fixed_effects",
        "factor_model": "interactive_fixed_effects",
        "ifect": "interactive_fixed_effects",
        "mcpanel": "matrix_completion",
        "mc_nnm": "matrix_completion",
        "cce": "common_correlated_effects",
        "cced": "common_correlated_effects",
        "ccedid": "common_correlated_effects",
    }
)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every name a spec may choose, by kind: name -> an object with `name`, `summary`, mostly `options`, `source`."""

    estimators: Mapping[str, Any]
    inferences: Mapping[str, Any]
    adjustments: Mapping[str, Any]
    checks: Mapping[str, Any]
    planned: Mapping[Kind, tuple[str, ...]] = field(default_factory=lambda: PLANNED)

    def entries(self, kind: Kind) -> Mapping[str, Any]:
        """What is built, of one kind."""
        if kind == "estimator":
            return self.estimators
        if kind == "inference":
            return self.inferences
        return self.adjustments if kind == "adjustment" else self.checks

    def names(self, kind: Kind) -> tuple[str, ...]:
        """The words a spec may write for this kind."""
        return (*(word for word in ALWAYS[kind] if word not in self.entries(kind)), *self.entries(kind))

    def fault(self, kind: Kind, name: str) -> str | None:
        """What is wrong with `name` as a choice of this kind, in words, or None when nothing is."""
        if name in self.names(kind):
            return None
        planned = [each for each in self.planned.get(kind, ()) if each not in self.entries(kind)]
        if name in planned:
            return f"{kind} '{name}' is not available yet; `evaluate --methods` lists what is"
        for other in ("estimator", "inference", "adjustment", "check"):
            if other != kind and name in self.entries(other):
                return f"'{name}' is {_a(other)}, not {_a(kind)}; `evaluate --methods` lists them"
        meant = _KNOWN_AS.get(name.casefold().replace("-", "_").replace(" ", "_"))
        if meant not in self.names(kind) and meant not in planned:
            meant = nearest(name, [*self.names(kind), *planned])
        if meant in planned:
            return f"no {kind} '{name}'; '{meant}' is not available yet, and `evaluate --methods` lists what is"
        hint = f"; did you mean '{meant}'?" if meant else ";"
        return f"no {kind} '{name}'{hint} `evaluate --methods` lists them"


def option_fields(entry: Any) -> dict[str, tuple[Any, str, Any]]:
    """The options of an entry: name -> (type, description, default), with `dataclasses.MISSING` for no default."""
    options = getattr(entry, "options", None)
    if not isinstance(options, type) or not dataclasses.is_dataclass(options):
        return {}
    from typing import get_args, get_origin, get_type_hints

    hints = get_type_hints(options, include_extras=True)
    fields: dict[str, tuple[Any, str, Any]] = {}
    for each in dataclasses.fields(options):
        if not each.init:
            continue
        hint, description = hints[each.name], ""
        if get_origin(hint) is not None and hasattr(hint, "__metadata__"):
            described = [getattr(note, "description", None) for note in hint.__metadata__]
            description = next((text for text in described if text), "")
            hint = get_args(hint)[0]
        default = each.default
        if default is dataclasses.MISSING and each.default_factory is not dataclasses.MISSING:
            default = each.default_factory()
        fields[each.name] = (hint, description, default)
    return fields


def _a(kind: str) -> str:
    return f"a {kind}" if kind == "check" else f"an {kind}"
