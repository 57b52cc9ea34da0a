"""Ways of taking the business cycle out: one file each, one line each."""

from evaluation.contracts import Adjustment
from evaluation.cycle import local_series, none, region_time, sensitivity, unit_trend

ADJUSTMENTS: dict[str, Adjustment] = {
    adjustment.name: adjustment
    for adjustment in (
        none.METHOD,
        region_time.METHOD,
        sensitivity.METHOD,
        local_series.METHOD,
        unit_trend.METHOD,
    )
}
