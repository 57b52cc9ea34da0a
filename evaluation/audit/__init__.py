"""The auditor's checks of the adjustment for the business cycle: one file each, one line each."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from evaluation.result import CheckResult
from evaluation.study import Study

AUDIT: Mapping[str, Callable[[Study], CheckResult]] = MappingProxyType({})
