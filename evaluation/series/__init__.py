"""Outside series of the business cycle: from their files to the units and periods of the panel.

`attach` is the one door: it fills `panel.cycle` and what checks look at beside the panel. Nothing here looks at the outcome,
except to refuse a series that is the outcome under another name.
"""

from evaluation.series.attach import attach

__all__ = ["attach"]
