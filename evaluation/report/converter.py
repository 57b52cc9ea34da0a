"""Vega-Lite to SVG in processes of their own.

The converter holds Python's lock while it works and needs half a second to start. In a helper process it starts while the
estimates are computed and draws one figure while the next is being described; a second helper joins it for the drawing. Where
none can be started, or one dies, the same conversion is done here.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import subprocess
import threading
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from evaluation import helper

HELPER = """
import json, sys
import vl_convert
for line in sys.stdin.buffer:
    request = json.loads(line)
    silent = request.pop("silent", False)
    try:
        answer = {"svg": vl_convert.vegalite_to_svg(**request)}
    except Exception as error:
        answer = {"error": str(error)}
    if not silent:
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\\n")
        sys.stdout.buffer.flush()
"""

VL_VERSION = "6.4"
"""The Vega-Lite that figures are written in; tests hold them against its schema."""

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

# text and an axis, so that fonts and number formats are loaded too
FIRST: dict[str, Any] = {
    "data": {"values": [{"a": 1}]},
    "mark": "text",
    "encoding": {"text": {"field": "a"}, "x": {"field": "a", "type": "quantitative"}},
}


@dataclass(frozen=True, slots=True)
class Helper:
    """The helper process; one question is asked and answered at a time."""

    process: subprocess.Popen[bytes]
    turn: threading.Lock

    def ask(self, request: dict[str, Any], silent: bool = False) -> bytes:
        """The answer as a line of JSON, or nothing when there is none to wait for or the helper is gone."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            return b""
        with self.turn, contextlib.suppress(OSError, ValueError):
            stdin.write(json.dumps({**request, "silent": silent}).encode() + b"\n")
            stdin.flush()
            return b"" if silent else stdout.readline()
        return b""


_STARTED: list[Helper] = []
_FREE: SimpleQueue[Helper] = SimpleQueue()
_STARTING = threading.Lock()


def warm_up(helpers: int = 1) -> None:
    """Have so many helpers: each is given a first figure to draw, which takes most of a second, without waiting for it."""
    with _STARTING:
        while len(_STARTED) < min(helpers, os.cpu_count() or 1):
            started = _start()
            if started is None:
                return
            _STARTED.append(started)
            started.ask({"vl_spec": FIRST, "vl_version": VL_VERSION, "allowed_base_urls": []}, silent=True)
            _FREE.put(started)


def convert(request: dict[str, Any]) -> str:
    """The SVG of one request, which holds the arguments of `vl_convert.vegalite_to_svg`.

    Raises
    ------
    RuntimeError
        The converter refused the specification.
    """
    request = {**request, "vl_spec": _printable(request["vl_spec"])}
    warm_up()
    answer = b""
    if _STARTED:
        free = _FREE.get()
        try:
            answer = free.ask(request)
        finally:
            _FREE.put(free)
    if not answer:
        return _here(request)
    told: dict[str, str] = json.loads(answer)
    if "error" in told:
        raise RuntimeError(told["error"])
    return told["svg"]


def _printable(value: Any) -> Any:
    """The specification without the characters that XML has no place for: the converter's whole process dies of them."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub("", value)
    if isinstance(value, dict):
        return {_printable(key): _printable(each) for key, each in value.items()}
    return [_printable(each) for each in value] if isinstance(value, list | tuple) else value


def _here(request: dict[str, Any]) -> str:
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(**request)
    return svg


def _start() -> Helper | None:
    """A helper, which ends with this process, whose end closes its input; None where none can be started."""
    process = helper.start(HELPER)
    if process is None:
        return None
    atexit.register(_end, process)
    return Helper(process, threading.Lock())


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()
