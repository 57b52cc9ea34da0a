"""The measured tables that go with the package: equal to what was measured, read strictly, and measured by the product as it is."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from evaluation.inference import INFERENCES
from evaluation.proof import real_size, rows
from evaluation.report.figures import FIGURES, PLAIN
from evaluation.report.figures import real_size as figure
from evaluation.report.words import load
from tests.report.fixtures import california, hjorring

measuring = pytest.importorskip("benchmarks.real_size", reason="a source distribution holds no benchmarks")
from benchmarks import real_size_tables as tables  # noqa: E402
from benchmarks.real_panels import DATA, cps_hours, cut, employment, groups_of  # noqa: E402

ROOT = Path(__file__).parents[2]
OURS = ("placebo", "standardized_placebo", "ferman_pinto")


def row(data: str, inference: str, group: str = "all", estimator: str = "did"):
    found = [
        one
        for one in real_size()
        if (one.data, one.inference, one.group, one.estimator, one.adjust)
        == (data, inference, group, estimator, "none")
    ]
    assert len(found) == 1, f"{data}, {inference}, {group}, {estimator}: {len(found)} rows"
    return found[0]


# ------------------------------------------------------------------ the copy


def test_the_copy_is_what_was_measured() -> None:
    with (ROOT / "evaluation" / "proof" / "real_size.csv").open(encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == measuring.published(measuring.read(measuring.RESULTS))


def test_the_benchmarks_page_shows_what_was_measured() -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    rows_there = measuring.read(measuring.RESULTS)
    assert tables.by_did(rows_there) in page
    assert tables.by_estimator(rows_there) in page


def test_every_row_is_read() -> None:
    with (ROOT / "evaluation" / "proof" / "real_size.csv").open(encoding="utf-8") as file:
        assert len(real_size()) == sum(1 for _ in file) - 1
    assert {one.data for one in real_size()} == set(DATA)
    for one in real_size():
        assert 0 <= one.no_number <= one.laws <= one.units * one.dates
        assert (one.rejected_5 is None) == (one.no_number == one.laws)
        assert one.rejected_5 is None or 0.0 <= one.rejected_5 <= one.rejected_10 <= 1.0  # type: ignore[operator]


def test_a_table_with_other_columns_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Other:
        data: str
        laws: int

    with pytest.raises(ValueError, match="its columns are"):
        rows("real_size.csv", Other)


# ------------------------------------------------------------------ what was measured


@pytest.mark.parametrize(
    ("data", "inference"), [("employment", "cluster"), ("cps_hours", "cluster"), ("cps_hours", "conley_taber")]
)
def test_the_product_still_gives_these_shares(data: str, inference: str) -> None:
    """Measured again, without the script's own loop."""
    real = DATA[data]()
    pipeline = measuring.make_pipeline("did", "none", {})
    test, rng = INFERENCES[inference].test, np.random.default_rng(0)
    alarms = laws = 0
    first = real.panel.periods[0].ordinal
    for start in real.starts:
        panel = cut(real.panel, start - first, 4)
        for unit in range(panel.n_units):
            alarms += test(pipeline, panel.assign({unit: start - first}), rng) <= 0.05
            laws += 1
    found = row(data, inference)
    assert laws == found.laws
    # four decimals are printed
    assert alarms / laws == pytest.approx(found.rejected_5, abs=6e-5)


@pytest.mark.parametrize("data", list(DATA))
def test_the_usual_errors_cry_wolf_and_ours_do_not(data: str) -> None:
    assert row(data, "cluster").rejected_5 > 0.6  # type: ignore[operator]
    for inference in OURS:
        if data == "employment" and inference == "ferman_pinto":
            continue  # no sizes are published with these rates
        found = row(data, inference)
        assert found.rejected_5 == pytest.approx(0.05, abs=0.02)


def test_tests_that_drop_the_one_treated_unit_give_no_number() -> None:
    for data in DATA:
        assert row(data, "jackknife").no_number == row(data, "jackknife").laws
        assert row(data, "wild_bootstrap").rejected_10 == 0.0


def test_the_panels_are_whole() -> None:
    municipalities, states = employment().panel, cps_hours().panel
    assert municipalities.outcome.shape == (98, 14)
    assert states.outcome.shape == (50, 40)
    assert municipalities.balanced
    assert states.balanced
    assert not municipalities.treated.any()
    assert not states.treated.any()
    assert (len(municipalities.region_names), len(states.region_names)) == (11, 9)
    # the census of 2000, less the District of Columbia, which is no state
    assert states.size[:, 0].sum() == 281_421_906 - 572_059


def test_groups_are_thirds_by_the_time_before() -> None:
    real = cps_hours()
    groups = groups_of(real, 1979)
    assert (groups["calm"] | groups["middling"] | groups["noisy"]).all()
    assert [int(groups[name][:, 0].sum()) for name in ("calm", "middling", "noisy")] == [17, 17, 16]
    changes = np.diff(real.panel.outcome[:, :10], axis=1)
    noise = np.sqrt(((changes - changes.mean(axis=0)) ** 2).mean(axis=1))
    assert noise[groups["calm"][:, 0]].max() <= noise[groups["noisy"][:, 0]].min()


def test_the_share_and_its_clustered_error() -> None:
    """Two units, three dates: 4 of 6 rejected; sums around the share of 1 and -1, so √(2/1 · 2) / 6 = 1/3."""
    share, error = measuring.rate(np.array([[True, True, True], [True, False, False]]), np.ones((2, 3), dtype=np.bool_))
    assert share == pytest.approx(4 / 6)
    assert error == pytest.approx(2 / 6)


def test_earlier_dates_are_over_before_the_law() -> None:
    """Windows of four from 1, 3 and 5: only the first is over at 5, and a unit is never its own yardstick."""
    effects = np.array([[9.0, 9.0, 3.0], [1.0, 9.0, 3.0], [2.0, 9.0, 0.0]])
    p_values = measuring.earlier(effects, (1, 3, 5), 4)
    assert np.isnan(p_values[:, :2]).all()
    assert p_values[:, 2].tolist() == pytest.approx([1 / 3, 2 / 3, 1.0])


# ------------------------------------------------------------------ as it is shown


def test_the_figure_is_the_table_and_the_same_on_every_page() -> None:
    words = load("en")
    found = figure.lines(words)
    assert found == FIGURES["real_size"].values(hjorring(), words) == FIGURES["real_size"].values(california(), words)
    for line in found:
        for data, share, one in zip(figure.DATA, line.shares, line.rows, strict=True):
            if one is None:
                assert share is None
                continue
            assert (one.data, one.group, one.adjust) == (data, "all", "none")
            assert share == one.rejected_5
    spec = figure.draw(found, words, PLAIN, 640)
    drawn = [
        entry["x"]
        for layer in spec["layer"]
        if layer["mark"]["type"] == "point"
        for entry in layer["data"]["values"]
        if "x" in entry
    ]
    assert sorted(drawn) == sorted(share for line in found for share in line.shares if share is not None)


def test_the_number_of_laws_is_units_times_dates() -> None:
    assert figure.laws() == 98 * 7 + 50 * 11
    text = FIGURES["real_size"].text(figure.lines(load("en")), hjorring(), load("en"))
    assert "1,236 programmes on paper" in text.subtitle
    assert "the same on every page" in text.how
    assert text.source is not None
    assert "statbank.dk/ras200" in text.source


@pytest.mark.parametrize("name", ["real_size", "real_size_dark"])
def test_the_readme_picture_is_of_this_table(name: str) -> None:
    root = ElementTree.fromstring((ROOT / "docs" / "images" / f"{name}.svg").read_text(encoding="utf-8"))
    shown = [text for text in root.itertext() if re.fullmatch(r"\d+\s%|–", text.strip())]
    wanted = [cell for line in figure.lines(load("en")) for cell in line.written]
    for cell in set(wanted):
        assert shown.count(cell) >= wanted.count(cell), cell


def test_the_readme_tells_these_shares() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    words = load("en")
    share = {
        key: words.percent(row(*key).rejected_5).replace("\N{NO-BREAK SPACE}", " ")
        for key in [("employment", "cluster"), ("cps_hours", "cluster"), ("employment", "default")]
    }
    assert share["employment", "cluster"] == share["cps_hours", "cluster"]
    assert f"cluster-robust and bias-reduced standard errors {share['employment', 'cluster']}" in page
    assert f"the default here {share['employment', 'default']}" in page
    assert f"{words.number(figure.laws())} laws on paper" in page
