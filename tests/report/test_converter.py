"""The converter in a process of its own gives what it gives here, and its loss is no loss."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import pytest

from evaluation.report import converter

REQUEST = {"vl_spec": converter.FIRST, "vl_version": converter.VL_VERSION, "allowed_base_urls": []}


def test_helper_and_here_draw_the_same() -> None:
    assert converter.convert(REQUEST) == converter._here(REQUEST)


def test_a_warm_up_leaves_no_answer_behind() -> None:
    converter.warm_up()
    narrow = {**REQUEST, "vl_spec": {**converter.FIRST, "width": 77}}
    assert converter.convert(narrow) == converter._here(narrow)


def test_two_helpers_draw_what_one_draws() -> None:
    converter.warm_up(2)
    with ThreadPoolExecutor(2) as pool:
        drawn = list(pool.map(converter.convert, [REQUEST] * 6))
    assert len({re.sub(r'"clip[0-9]+"', "", one) for one in drawn}) == 1


def test_without_a_helper_the_page_is_still_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no process may be started, and where the helper has died."""
    monkeypatch.setattr(converter, "_STARTED", [])
    monkeypatch.setattr(converter, "_start", lambda: None)
    assert converter.convert(REQUEST).startswith("<svg")
    dead = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    dead.wait()
    helper = converter.Helper(dead, threading.Lock())
    free: SimpleQueue[converter.Helper] = SimpleQueue()
    free.put(helper)
    monkeypatch.setattr(converter, "_STARTED", [helper])
    monkeypatch.setattr(converter, "_FREE", free)
    assert converter.convert(REQUEST).startswith("<svg")
    converter._end(dead)


def test_a_specification_that_is_refused_is_an_error_and_not_a_hang() -> None:
    with pytest.raises(RuntimeError, match="version"):
        converter.convert({**REQUEST, "vl_version": "1.0"})
    assert converter.convert(REQUEST).startswith("<svg")


def test_addresses_are_never_fetched() -> None:
    """Nothing on the way to the page may reach out."""
    spec = {**converter.FIRST, "data": {"url": "http://localhost:9/data.json"}}
    try:
        drawn = converter.convert({**REQUEST, "vl_spec": spec})
    except RuntimeError:
        return
    assert ">1<" not in drawn


def test_characters_that_would_kill_the_converter_are_taken_out() -> None:
    odd = {"values": [{"a": "x\x00\x1b\ufffe\uffff\udc80y"}]}
    assert ">xy<" in converter.convert({**REQUEST, "vl_spec": {"data": odd, "mark": "text", "encoding": {"text": {"field": "a"}}}})
