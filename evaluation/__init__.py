"""nettoeffekt: the net effect of a public programme, and how sure one can be with one treated unit.

`evaluate` runs a spec, `estimate` one estimator on a panel, `load_spec` reads a spec, `Panel` holds the data.
Everything is imported when first used, so that `import evaluation` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evaluation._version import __version__

if TYPE_CHECKING:
    from evaluation.panel import Panel
    from evaluation.result import Estimate, Result
    from evaluation.run import evaluate, load_spec
    from evaluation.study import estimate

__all__ = ["Estimate", "Panel", "Result", "__version__", "estimate", "evaluate", "load_spec"]

_HOMES = {
    "Panel": "evaluation.panel",
    "Estimate": "evaluation.result",
    "Result": "evaluation.result",
    "estimate": "evaluation.study",
    "evaluate": "evaluation.run",
    "load_spec": "evaluation.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'evaluation' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
