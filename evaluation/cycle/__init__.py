"""Ways of taking the business cycle out: one file each, one line each."""

from evaluation.contracts import Adjustment
from evaluation.cycle import none, sensitivity

ADJUSTMENTS: dict[str, Adjustment] = {
    adjustment.name: adjustment
    for adjustment in (
        none.METHOD,
        sensitivity.METHOD,
    )
}
