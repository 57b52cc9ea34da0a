"""Real files: unemployment by region from StatBank, and a download by hand as it comes."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

import evaluation
from evaluation.prepare import prepare
from evaluation.run import load_spec
from evaluation.series import attach
from tests.series.test_matching import cycle, table
from tests.series.world import World, row

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "specs" / "hjorring_employment.toml"
DOWNLOAD = ROOT / "tests" / "data" / "statbank" / "aulp01_excel_layout.csv"


@pytest.fixture(scope="module")
def prepared():
    loaded = load_spec(SPEC)
    return attach(loaded, prepare(loaded))


def published():
    """Unemployment by region code and year, both sexes, read without our readers."""
    with (ROOT / "specs" / "data" / "aulp01_unemployment_region.csv").open(encoding="utf-8", newline="") as file:
        return {(line["omrade"], int(line["aar"])): float(line["ledige_pct"]) for line in csv.DictReader(file) if line["kon"] == "TOT"}


def test_every_municipality_has_the_unemployment_of_its_region(prepared):
    known = published()
    for name, region in (("Hjørring", "081"), ("Aarhus", "082"), ("Esbjerg", "083"), ("København", "084"), ("Lolland", "085")):
        expected = [known[region, year] for year in range(2008, 2021)]
        np.testing.assert_allclose(row(prepared, "unemployment", name), expected)


def test_the_nation_is_the_mean_of_the_regions_without_the_treated_one(prepared):
    known = published()
    expected = [np.mean([known[region, year] for region in ("082", "083", "084", "085")]) for year in range(2008, 2021)]
    np.testing.assert_allclose(prepared.panel.cycle["unemployment|nation"], expected)


def test_the_spec_names_who_lives_around_hjorring(prepared):
    first, second = prepared.context.rings
    assert first == ("Jammerbugt", "Brønderslev", "Frederikshavn")
    assert second == ("Aalborg", "Læsø", "Mariagerfjord", "Morsø", "Rebild", "Thisted", "Vesthimmerlands")


@pytest.mark.parametrize("method", ["did", "synthetic_control", "synthetic_did"])
def test_a_year_after_the_window_changes_no_answer(prepared, method):
    """2021 is left out of this spec for the sake of a series; the answers are those of the longer panel."""
    loaded = load_spec(SPEC)
    longer = loaded.spec.model_copy(update={"data": loaded.spec.data.model_copy(update={"periods": None})})
    panel = prepare(type(loaded)(longer, loaded.path, loaded.text, loaded.locator)).panel
    assert (panel.n_periods, prepared.panel.n_periods) == (14, 13)
    assert evaluation.estimate(prepared.panel, method).effect == pytest.approx(evaluation.estimate(panel, method).effect, abs=1e-12)


def test_a_download_by_hand_is_a_series_of_the_nation(tmp_path):
    (tmp_path / "w").mkdir()
    shutil.copy(DOWNLOAD, tmp_path / "w" / "unemployment.csv")
    text = cycle("") + table('level = "nation"\nwhere = { "køn" = "I alt" }')
    made = World(tmp_path / "w", text).attached()
    known = published()
    np.testing.assert_allclose(made.panel.cycle["unemployment"], [known["000", year] for year in range(2010, 2017)])
