"""Estimators: one file each, one line each."""

from evaluation.contracts import Method
from evaluation.estimators import did, event_study, synthetic_control, synthetic_did

ESTIMATORS: dict[str, Method] = {
    method.name: method
    for method in (
        did.METHOD,
        event_study.METHOD,
        synthetic_control.METHOD,
        synthetic_did.METHOD,
    )
}
