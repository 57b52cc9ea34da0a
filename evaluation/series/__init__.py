"""Outside series of the business cycle: from their files to the units and periods of the panel.

`attach` is the door: it fills `panel.cycle` and what checks look at beside the panel. Nothing here looks at the outcome,
except to refuse a series that is the outcome under another name.
"""

from evaluation.series.attach import attach, files_of_series
from evaluation.series.check import check_for_registers, series_line

__all__ = ["attach", "check_for_registers", "files_of_series", "series_line"]
