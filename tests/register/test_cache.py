"""Cells are found again when nothing they depend on changed; a cache that is broken never stops or misleads a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from evaluation.register import cache
from evaluation.register.cache import Entry, cache_folder, cache_key, load, store
from evaluation.result import InputFile

INPUTS = (
    InputFile("bef2014.parquet", "a" * 64, 10, 0, 0, {"register": "population"}),
    InputFile("dream.parquet", "b" * 64, 10, 0, 0, {"register": "benefits"}),
)
ASKED = {"periods": [2008, 2018], "who": {"baseline": "2014-12"}}
ENTRY = Entry(
    {"persons": np.arange(6).reshape(2, 3), "total": np.array([2**60, -1])}, {"units": ["860", "851"], "år": 1}
)


def test_an_entry_comes_back_as_it_was_and_cannot_be_changed(tmp_path):
    key = cache_key(INPUTS, ASKED, "c" * 64)
    assert load(key, tmp_path) is None
    assert store(key, ENTRY, tmp_path)
    found = load(key, tmp_path)
    assert found is not None
    assert found.facts == ENTRY.facts
    for name, array in ENTRY.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert np.array_equal(found.arrays[name], array)
        with pytest.raises(ValueError):
            found.arrays[name][0] = 0


def test_the_key_depends_on_contents_and_not_on_names(monkeypatch):
    key = cache_key(INPUTS, ASKED, "c" * 64)
    renamed = tuple(InputFile("x", each.sha256, 1, 2, 3, each.read_as) for each in INPUTS)
    assert cache_key(renamed, dict(reversed(list(ASKED.items()))), "c" * 64) == key
    others = {
        cache_key(INPUTS[:1], ASKED, "c" * 64),
        cache_key(INPUTS[::-1], ASKED, "c" * 64),
        cache_key(INPUTS, {**ASKED, "periods": [2008, 2019]}, "c" * 64),
        cache_key(INPUTS, ASKED, "d" * 64),
    }
    monkeypatch.setattr(cache, "__version__", "0.0.0")
    others.add(cache_key(INPUTS, ASKED, "c" * 64))
    assert len(others | {key}) == 6


@pytest.mark.parametrize(
    "broken", ["cut", "flipped", "empty", "no facts", "half facts", "other key", "facts of another"]
)
def test_an_entry_that_is_broken_is_no_entry(tmp_path, broken):
    assert store("k", ENTRY, tmp_path)
    arrays, facts = tmp_path / "cells-k.npz", tmp_path / "cells-k.json"
    content = bytearray(arrays.read_bytes())
    if broken == "cut":
        arrays.write_bytes(content[:-20])
    elif broken == "flipped":
        content[len(content) // 2] ^= 1
        arrays.write_bytes(content)
    elif broken == "empty":
        arrays.write_bytes(b"")
    elif broken == "no facts":
        facts.unlink()
    elif broken == "half facts":
        facts.write_text(facts.read_text()[:30])
    elif broken == "other key":
        facts.write_text(facts.read_text().replace('"key": "k"', '"key": "j"'))
    else:
        assert store("j", Entry({"persons": np.zeros(3)}, {}), tmp_path)
        os.replace(tmp_path / "cells-j.npz", arrays)
    assert load("k", tmp_path) is None
    assert store("k", ENTRY, tmp_path)
    assert load("k", tmp_path) is not None


def test_arrays_of_objects_are_neither_written_nor_read(tmp_path):
    """Reading them would run what a file says."""
    assert not store("k", Entry({"x": np.array([object()])}, {}), tmp_path)
    assert load("k", tmp_path) is None


def test_facts_that_are_no_json_are_not_kept(tmp_path):
    assert not store("k", Entry({}, {"x": float("nan")}), tmp_path)
    assert not store("k", Entry({}, {"x": object()}), tmp_path)
    assert not list(tmp_path.glob("*.part"))


def test_a_folder_that_cannot_be_written_to_costs_nothing(tmp_path):
    (tmp_path / "file").touch()
    assert not store("k", ENTRY, tmp_path / "file")
    assert load("k", tmp_path / "file") is None


def test_at_most_fifty_entries_stay_and_they_are_the_ones_used_last(tmp_path):
    for number in range(cache.MOST):
        assert store(f"{number:02d}", Entry({}, {}), tmp_path)
        os.utime(tmp_path / f"cells-{number:02d}.json", (number, number))
    assert load("00", tmp_path) is not None, "used just now"
    assert store("new", Entry({}, {}), tmp_path)
    left = {path.stem.removeprefix("cells-") for path in tmp_path.glob("*.json")}
    assert len(left) == cache.MOST == len(list(tmp_path.glob("*.npz")))
    assert {"00", "new"} <= left
    assert "01" not in left


@pytest.mark.skipif(sys.platform != "linux", reason="the folder of another platform")
def test_the_folder_is_the_one_named_or_the_platforms(monkeypatch, tmp_path):
    monkeypatch.setenv("NETTOEFFEKT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("NETTOEFFEKT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "nettoeffekt"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == Path(tmp_path) / ".cache" / "nettoeffekt"
