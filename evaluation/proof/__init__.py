"""Measured promises: how often each way of measuring uncertainty errs, as tables that pages may quote without computing anything."""

from evaluation.proof.coverage import CoverageRow, coverage, fitting
from evaluation.proof.tables import SizeRow, real_size, rows

__all__ = ["CoverageRow", "SizeRow", "coverage", "fitting", "real_size", "rows"]
