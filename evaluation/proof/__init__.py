"""Measured promises: how often each way of measuring uncertainty errs, as tables that pages may quote without computing anything."""

from evaluation.proof.tables import SizeRow, real_size, rows

__all__ = ["SizeRow", "real_size", "rows"]
