"""Can the run be repeated, and was the question fixed before the answer was known?"""

from __future__ import annotations

import hashlib
import re
import tomllib
from typing import Any

from evaluation.audit import thresholds
from evaluation.result import CheckResult, Provenance
from evaluation.spec.model import Spec
from evaluation.study import Study

HASHES = frozenset({"input_hashes", "spec_hash"})
"""Items without which nobody can tell whether a repetition used the same data and the same questions: they fail the check."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def check(study: Study) -> CheckResult:
    """Go through what a repetition needs, item by item.

    Items: a hash of every input file; the rows left at each step from the files to the panel; a hash of the spec, which must be
    that of the text that was recorded; the date on which the spec was declared, before outcomes were looked at; the seed; the
    versions of everything that computes; who asked for the evaluation; and that nothing deviates from the spec as it was
    written (a seed given at the command line does). Whether the declared date is true is not for a program to say.

    The check fails without a hash, and warns without anything else.

    Returns
    -------
    CheckResult
        `value` counts the missing items. `facts`: number of `inputs` and of their `hashes`, `spec_sha256`, `frozen` (the
        date, "" if none), `seed`, `version` of this program, `steps` counted on the way to the panel, and the number of
        `deviations`. No name of a person who ran it, and no path, is ever part of it. `series`: `items` and whether they are
        `present`.
    """
    record = study.record
    if record is None:
        return CheckResult("provenance", "not_run", reason="no_record")
    spec = _spec(record)
    hashes = sum(_SHA256.fullmatch(each.sha256) is not None for each in record.inputs)
    deviations = int(bool(spec) and spec.get("seed", Spec.model_fields["seed"].default) != record.seed)
    present = {
        "input_hashes": bool(record.inputs) and hashes == len(record.inputs),
        "rows": bool(study.flow),
        "spec_hash": record.spec_sha256 == hashlib.sha256(record.spec_text.encode()).hexdigest(),
        "freeze_date": bool(study.context.frozen),
        "seed": True,
        "versions": _versions_known(record),
        "commissioned_by": bool(spec.get("commissioned_by")),
        "deviations": deviations == 0,
    }
    missing = [name for name, there in present.items() if not there]
    lost = any(name in HASHES for name in missing)
    return CheckResult(
        "provenance",
        "failed" if lost else thresholds.status("provenance", len(missing)),
        value=float(len(missing)),
        threshold=thresholds.threshold("provenance"),
        facts={
            "inputs": len(record.inputs),
            "hashes": hashes,
            "spec_sha256": record.spec_sha256,
            "frozen": study.context.frozen,
            "seed": record.seed,
            "version": record.version,
            "steps": len(study.flow),
            "deviations": deviations,
        },
        series={"items": list(present), "present": list(present.values())},
    )


def _spec(record: Provenance) -> dict[str, Any]:
    """The recorded spec; empty where its text is none."""
    try:
        return tomllib.loads(record.spec_text)
    except tomllib.TOMLDecodeError:
        return {}


def _versions_known(record: Provenance) -> bool:
    return (
        bool(record.version and record.python and record.packages) and "not installed" not in record.packages.values()
    )
