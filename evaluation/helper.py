"""A second Python beside this one: it runs a script, is asked through its input and answers through its output."""

from __future__ import annotations

import os
import subprocess
import sys


def start(script: str) -> subprocess.Popen[bytes] | None:
    """A process that runs `script` with this one's interpreter and packages; None where none can be started.

    What it complains about goes nowhere: whoever asks notices that there is no answer, and does the work itself.
    """
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        return subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
        )
    except OSError:
        return None
