"""Ways of taking the business cycle out: one file each, one line each."""

from evaluation.contracts import Adjustment
from evaluation.cycle import cce, factors, local_series, none, region_time, sensitivity, shift_share, unit_trend

ADJUSTMENTS: dict[str, Adjustment] = {
    adjustment.name: adjustment
    for adjustment in (
        none.METHOD,
        region_time.METHOD,
        sensitivity.METHOD,
        local_series.METHOD,
        shift_share.METHOD,
        factors.METHOD,
        cce.METHOD,
        unit_trend.METHOD,
    )
}
