"""Running checks: one that cannot be computed becomes a visible failure, and a second process takes its share of the audit.

The audit refits the headline thousands of times in Python, which one process does on one core. The second process is started
early, imports while this one reads data, and is sent the study; what it answers is what would have been computed here, since
every check draws from a stream of its own. Where it cannot be started, or dies, everything is computed here.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from evaluation import helper
from evaluation.audit import AUDIT
from evaluation.errors import EstimationError
from evaluation.result import CheckResult, Cycle, Failure
from evaluation.study import Study

Found = tuple[CheckResult, Failure | None]

AWAY = ("backcast", "in_time_placebos", "negative_controls", "common_shock", "planted_effect", "spillover_rings")
"""Checks for the second process: they need nothing of the ladder, and together they take about as long as all the rest."""

HELPER = """
import pickle, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from evaluation.checking import AUDIT, run_checks
names, study = pickle.load(sys.stdin.buffer)
pickle.dump(run_checks(AUDIT, names, study), sys.stdout.buffer)
"""


def run_checks(
    registry: Mapping[str, Callable[[Study], CheckResult]], names: Collection[str], study: Study
) -> dict[str, Found]:
    """The checks of these names, in the registry's order, each with its failure where it could not be computed."""
    return {name: _one(name, check, study) for name, check in registry.items() if name in names}


def _one(name: str, check: Callable[[Study], CheckResult], study: Study) -> Found:
    try:
        return check(study), None
    except EstimationError as error:
        problems = tuple(problem.what for problem in error.problems)
        result = CheckResult(name, "not_run", reason="not_computable", facts={"problem": problems[0]})
        return result, Failure("check", name, problems)


@dataclass(frozen=True, slots=True)
class Second:
    """The second process; it answers one question."""

    process: subprocess.Popen[bytes]

    def ask(self, study: Study) -> bool:
        """Send the study, without waiting until it is read; False where it cannot be sent."""
        try:
            question = pickle.dumps((AWAY, study))
        except (pickle.PicklingError, TypeError, AttributeError):
            return False
        threading.Thread(target=self._send, args=(question,), daemon=True).start()
        return True

    def _send(self, question: bytes) -> None:
        with contextlib.suppress(OSError, ValueError):
            assert self.process.stdin is not None
            self.process.stdin.write(question)
            self.process.stdin.close()

    def answer(self) -> dict[str, Found]:
        """What it found; nothing where it died."""
        assert self.process.stdout is not None
        with contextlib.suppress(OSError, ValueError, EOFError, pickle.UnpicklingError, AttributeError):
            content = self.process.stdout.read()
            if self.process.wait() == 0:
                found: dict[str, Found] = pickle.loads(content)
                return found
        return {}


@contextlib.contextmanager
def second_process(wanted: bool) -> Iterator[Second | None]:
    """A second process while the block runs; None where it is not wanted, there is no second core, or none can be started."""
    process = helper.start(HELPER) if wanted and (os.cpu_count() or 1) > 1 else None
    try:
        yield None if process is None else Second(process)
    finally:
        if process is not None:
            process.kill()
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError, ValueError):
                    if stream is not None:
                        stream.close()
            process.wait()


def audit(study: Study, cycle: Callable[[], Cycle], second: Second | None) -> tuple[Cycle, dict[str, Found]]:
    """The account of the cycle and, with it in the study, every check of the auditor, in their order.

    `cycle` is called while the second process works on its share.
    """
    asked = second is not None and second.ask(study)
    account = cycle()
    study = replace(study, cycle=account)
    here = [name for name in AUDIT if not (asked and name in AWAY)]
    found = run_checks(AUDIT, here, study)
    if asked and second is not None:
        found |= second.answer()
        found |= run_checks(AUDIT, AUDIT.keys() - found.keys(), study)
    return account, {name: found[name] for name in AUDIT}
