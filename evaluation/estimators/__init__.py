"""Estimators: one file each, one line each."""

from evaluation.contracts import Method
from evaluation.estimators import (
    augmented_synthetic_control,
    callaway_santanna,
    changes_in_changes,
    common_correlated_effects,
    did,
    dose_response,
    dr_did,
    efficient_staggered,
    event_study,
    extended_twfe,
    imputation,
    interactive_fixed_effects,
    matrix_completion,
    partially_pooled_synthetic_control,
    structural_time_series,
    sun_abraham,
    synthetic_control,
    synthetic_did,
    triple_difference,
    two_stage,
)

ESTIMATORS: dict[str, Method] = {
    method.name: method
    for method in (
        did.METHOD,
        event_study.METHOD,
        sun_abraham.METHOD,
        extended_twfe.METHOD,
        callaway_santanna.METHOD,
        dr_did.METHOD,
        synthetic_control.METHOD,
        augmented_synthetic_control.METHOD,
        partially_pooled_synthetic_control.METHOD,
        synthetic_did.METHOD,
        structural_time_series.METHOD,
        imputation.METHOD,
        two_stage.METHOD,
        efficient_staggered.METHOD,
        triple_difference.METHOD,
        common_correlated_effects.METHOD,
        interactive_fixed_effects.METHOD,
        matrix_completion.METHOD,
        changes_in_changes.METHOD,
        dose_response.METHOD,
    )
}
