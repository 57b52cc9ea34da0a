"""Where a synthetic register is put: complete or not at all, and never over anything but an earlier one."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from evaluation._version import __version__
from evaluation.errors import UsageError, did_you_mean, listed
from evaluation.spec.model import LEAST_PERSONS, MOST_PERSONS, Scenario

MARKER = "synthetic.json"
"""What was simulated, beside the files: made by this program, and so may be replaced by it."""

Say = Callable[[str, str], None]


def write(folder: Path, *, scenario: str, persons: int, seed: int, force: bool = False, say: Say | None = None) -> None:
    """Write a synthetic register into a folder that is not there, empty, or (with `force`) holds an earlier one.

    Raises
    ------
    UsageError
        No such scenario, too few or too many persons, the folder holds something else, or cannot be written to.
    """
    _judge(scenario, persons)
    holds = _holds(folder)
    if holds is None:
        raise UsageError(f"{folder}: this folder holds other files; give a new or an empty one")
    if holds and not force:
        raise UsageError(f"{folder}: there is a synthetic register already; --force replaces it")
    _write(folder, scenario=scenario, persons=persons, seed=seed, say=say or (lambda stage, text: None))


def ensure(folder: Path, *, scenario: str, persons: int, seed: int, say: Say) -> None:
    """The register that a spec simulates: as it is when it is there, else written; an earlier one of other parameters is replaced.

    Series that an earlier version did not write are added to it.

    Raises
    ------
    UsageError
        The folder holds something else, or cannot be written to.
    """
    holds = _holds(folder)
    if holds is None:
        raise UsageError(f"{folder}: this folder holds other files; give [simulate] a folder of its own")
    if holds != _told(scenario, persons, seed):
        _write(folder, scenario=scenario, persons=persons, seed=seed, say=say)
    else:
        _complete(folder, scenario=scenario, persons=persons, seed=seed, say=say)


def _complete(folder: Path, *, scenario: str, persons: int, seed: int, say: Say) -> None:
    from evaluation.simulate import add_series
    from evaluation.simulate.series import absent

    names = absent(folder / "series")
    if not names:
        return
    try:
        add_series(folder, scenario=scenario, persons=persons, seed=seed)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UsageError(f"{folder}: the series of the synthetic register cannot be written ({reason})") from None
    say("Simulate", f"series added: {listed(names)}")


def _judge(scenario: str, persons: int) -> None:
    problems = []
    if scenario not in get_args(Scenario):
        hint = did_you_mean(scenario, get_args(Scenario)) or f"; choose from {listed(get_args(Scenario), 20)}"
        problems.append(f"no scenario '{scenario}'{hint}")
    if not LEAST_PERSONS <= persons <= MOST_PERSONS:
        problems.append(f"a synthetic register has {LEAST_PERSONS:,} to {MOST_PERSONS:,} persons, not {persons:,}")
    if problems:
        raise UsageError(*problems)


def _write(folder: Path, *, scenario: str, persons: int, seed: int, say: Say) -> None:
    from evaluation.simulate import simulate

    say("Simulate", f"{persons:,} persons, scenario '{scenario}', seed {seed}")
    made: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        simulate(made, scenario=scenario, persons=persons, seed=seed, say=say)
        (made / MARKER).write_text(json.dumps(_told(scenario, persons, seed), indent=1) + "\n", encoding="utf-8")
        os.chmod(made, 0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(made, folder)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UsageError(f"{folder}: the synthetic register cannot be written ({reason})") from None
    finally:
        if made is not None and made.exists():
            shutil.rmtree(made, ignore_errors=True)


def _told(scenario: str, persons: int, seed: int) -> dict[str, Any]:
    return {"synthetic": True, "scenario": scenario, "persons": persons, "seed": seed, "version": __version__}


def _holds(folder: Path) -> Mapping[str, Any] | None:
    """What was simulated into the folder, nothing ({}) where it is empty or not there, None where it holds something else."""
    if not folder.exists():
        return {}
    if not folder.is_dir():
        raise UsageError(f"{folder}: this is a file, and a folder is needed here")
    if not any(folder.iterdir()):
        return {}
    try:
        told = json.loads((folder / MARKER).read_bytes())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) and told.get("synthetic") is True else None
