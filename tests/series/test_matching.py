"""From a file to the panel's units and periods: names, levels, averages, the nation and the neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from tests.series.world import TREATED, UNITS, YEARS, World, both, long_csv, row, statbank, values

OWN = 'series = "unemployment.csv"'
NAMES = list(UNITS.values())


def cycle(text):
    return f"[cycle]\n{text}\n"


def table(text, more=""):
    return f'[[cycle.series]]\npath = "unemployment.csv"\n{text}\n{more}'


@pytest.mark.parametrize(
    ("labels", "write"),
    [(both(), statbank), (list(UNITS), statbank), (NAMES, long_csv), (["Copenhagen" if n == "København" else n for n in NAMES], long_csv)],
    ids=["code and name", "codes", "names", "english names"],
)  # fmt: skip
def test_areas_are_matched_by_code_and_by_any_of_their_names(tmp_path, labels, write):
    known = values(9, 7)
    order = np.random.default_rng(5).permutation(9)
    files = {"unemployment.csv": write([labels[k] for k in order], YEARS, known[order])}
    prepared = World(tmp_path, cycle(OWN), files).attached()
    for place, name in enumerate(NAMES):
        np.testing.assert_allclose(row(prepared, "unemployment", name), known[place], atol=1e-12)


def test_units_that_are_no_danish_areas_are_matched_by_their_exact_name(tmp_path):
    units = ("North Shore", "South Shore", "The Hills", "Old Town")
    known = values(4, 7)
    files = {"unemployment.csv": long_csv(units, YEARS, known)}
    prepared = World(tmp_path, cycle(OWN), files, units=units, treated="The Hills").attached()
    np.testing.assert_allclose(row(prepared, "unemployment", "Old Town"), known[3])


def test_levels_that_are_mixed_in_one_column_are_told_apart(tmp_path):
    known = values(12, 7)
    labels = ["000 Hele landet", "081 Region Nordjylland", "11 Landsdel Nordjylland", *both()]
    files = {"unemployment.csv": statbank(labels, YEARS, known)}
    prepared = World(tmp_path, cycle(OWN), files).attached()
    np.testing.assert_allclose(row(prepared, "unemployment", "Esbjerg"), known[11])
    np.testing.assert_allclose(prepared.panel.cycle["unemployment|nation"], known[4:].mean(axis=0))


def test_a_coarser_level_is_given_to_every_unit_in_it(tmp_path):
    regions = ["081", "082", "083", "084"]
    known = values(4, 7)
    files = {"unemployment.csv": statbank(regions, YEARS, known)}
    prepared = World(tmp_path, cycle("") + table('level = "region"'), files).attached()
    homes = {"Aalborg": 0, "Hjørring": 0, "Aarhus": 1, "Odense": 2, "Esbjerg": 2, "København": 3}
    for name, region in homes.items():
        np.testing.assert_allclose(row(prepared, "unemployment", name), known[region])
    # the region with the treated unit is not in the mean
    np.testing.assert_allclose(prepared.panel.cycle["unemployment|nation"], known[1:].mean(axis=0))


def test_a_series_of_the_nation_has_one_row_for_all(tmp_path):
    known = values(1, 7)
    files = {"unemployment.csv": "tid,ledige\n" + "\n".join(f"{year},{value:.2f}" for year, value in zip(YEARS, known[0], strict=True))}
    prepared = World(tmp_path, cycle("") + table('level = "nation"'), files).attached()
    np.testing.assert_allclose(prepared.panel.cycle["unemployment"], known[0])
    assert prepared.context.series[0].level == "national"
    assert "unemployment|nation" not in prepared.panel.cycle


def test_the_nations_own_row_serves_where_every_area_was_treated(tmp_path):
    known = values(3, 7)
    files = {"unemployment.csv": statbank(["000 Hele landet", "081 Region Nordjylland", "082 Region Midtjylland"], YEARS, known)}
    units = ("Hjørring", "Aalborg", "Jammerbugt", "Aarhus", "Viborg")
    world = World(tmp_path, cycle("") + table('level = "region"'), files, units=units, treated='Hjørring", "Aarhus')
    prepared = world.attached()
    np.testing.assert_allclose(prepared.panel.cycle["unemployment|nation"], known[0])
    assert prepared.context.series[0].facts["nation"] == "own"


def test_months_become_means_of_complete_years(tmp_path):
    months = [f"{year}M{month:02d}" for year in range(2009, 2018) for month in range(1, 13)]
    known = values(9, len(months))
    files = {"unemployment.csv": statbank(both(), months, known)}
    prepared = World(tmp_path, cycle(OWN), files).attached()
    expected = known[:, 12:96].reshape(9, 7, 12).mean(axis=2)
    np.testing.assert_allclose(row(prepared, "unemployment", "Odense"), expected[6])
    facts = prepared.context.series[0].facts
    assert (facts["averaged"], facts["frequency"], facts["nation_areas"]) == (12, "month", 8)


def test_quarters_of_a_panel_are_means_of_three_months(tmp_path):
    quarters = [f"{year}Q{quarter}" for year in (2014, 2015) for quarter in range(1, 5)]
    months = [f"{year}M{month:02d}" for year in (2014, 2015) for month in range(1, 13)]
    known = values(9, 24)
    files = {"unemployment.csv": statbank(both(), months, known)}
    world = World(tmp_path, cycle(OWN), files, periods=tuple(quarters), start='"2015Q1"', window='["2015Q1", "2015Q4"]')
    np.testing.assert_allclose(row(world.attached(), "unemployment", "Aarhus"), known[5].reshape(8, 3).mean(axis=1))


def test_the_files_are_among_the_inputs_and_nothing_else_changes(tmp_path):
    files = {"unemployment.csv": statbank(both(), YEARS, values(9, 7))}
    plain = World(tmp_path / "plain", cycle("")).attached()
    prepared = World(tmp_path / "with", cycle(OWN), files).attached()
    assert [each.name for each in prepared.inputs] == ["outcome.csv", "unemployment.csv"]
    assert all(len(each.sha256) == 64 for each in prepared.inputs)
    np.testing.assert_array_equal(prepared.panel.outcome, plain.panel.outcome)
    assert not plain.panel.cycle


# ---------------------------------------------------------------------- neighbours


FLOWS = np.array([[40 if i == j else ((3 * i + 5 * j) % 7) for j in range(9)] for i in range(9)], dtype=float)
NEIGHBOURS = 'neighbours = "commuting.csv"'


def commuting(flows=FLOWS, year=2013):
    labels = both()
    rows = [
        f"{labels[i]};{labels[j]};SYNTHETIC;{year};{flows[i, j]:.0f}" for i in range(9) for j in range(9) if flows[i, j] > 0
    ]
    return "BOPÆL;ARBEJDSSTED;DATA;TID;INDHOLD\n" + "\n".join(rows) + "\n"


def test_neighbours_are_weighted_by_commuting_without_own_and_without_the_treated(tmp_path):
    known = values(9, 7)
    files = {"unemployment.csv": statbank(both(), YEARS, known), "commuting.csv": commuting()}
    prepared = World(tmp_path, cycle(f"{OWN}\n{NEIGHBOURS}"), files).attached()
    for i, name in enumerate(NAMES):
        total, weighted = 0.0, np.zeros(7)
        for j in range(9):
            if j != i and NAMES[j] != TREATED:
                total += FLOWS[i, j]
                weighted += FLOWS[i, j] * known[j]
        np.testing.assert_allclose(row(prepared, "unemployment|neighbours", name), weighted / total)


def test_nothing_of_the_treated_unit_enters_the_neighbours_or_the_nation(tmp_path):
    """Whatever the programme does to the treated unit's own series, it comes back to nobody through the others."""
    known = values(9, 7)
    wild = known.copy()
    wild[0] = 7 * np.arange(1, 8)
    worlds = []
    for name, table_ in (("calm", known), ("wild", wild)):
        files = {"unemployment.csv": statbank(["000", *both()], YEARS, np.vstack([table_.mean(axis=0), table_])), "commuting.csv": commuting()}
        worlds.append(World(tmp_path / name, cycle(f"{OWN}\n{NEIGHBOURS}"), files).attached().panel)
    calm, wild_ = worlds
    for name in ("unemployment|neighbours", "unemployment|nation"):
        np.testing.assert_array_equal(calm.cycle[name], wild_.cycle[name])
    changed = (calm.cycle["unemployment"] != wild_.cycle["unemployment"]).any(axis=1)
    assert [unit for unit, moved in zip(calm.units, changed, strict=True) if moved] == [TREATED]


def test_pairs_that_border_on_each_other_count_both_ways(tmp_path):
    known = values(9, 7)
    pairs = [("Hjørring", "Jammerbugt"), ("Jammerbugt", "Aalborg"), ("Brønderslev", "Frederikshavn"), ("Aarhus", "Odense"), ("Odense", "Esbjerg"), ("København", "Odense")]  # fmt: skip
    text = "from,to\n" + "\n".join(f"{a},{b}" for a, b in pairs) + "\n"
    files = {"unemployment.csv": statbank(both(), YEARS, known), "commuting.csv": text}
    prepared = World(tmp_path, cycle(f"{OWN}\n{NEIGHBOURS}"), files).attached()
    np.testing.assert_allclose(row(prepared, "unemployment|neighbours", "Odense"), known[[5, 8, 7]].mean(axis=0))
    # Hjørring is treated, so Jammerbugt has one neighbour left
    np.testing.assert_allclose(row(prepared, "unemployment|neighbours", "Jammerbugt"), known[4])
    assert prepared.context.series[0].facts["neighbours"] == "borders"


def test_of_several_years_of_commuting_the_last_before_the_programme_is_used(tmp_path):
    known = values(9, 7)
    later = commuting(FLOWS.T, 2014).split("\n", 1)[1]
    files = {"unemployment.csv": statbank(both(), YEARS, known), "commuting.csv": commuting() + later}
    both_years = World(tmp_path / "a", cycle(f"{OWN}\n{NEIGHBOURS}"), files).attached()
    files["commuting.csv"] = commuting()
    before = World(tmp_path / "b", cycle(f"{OWN}\n{NEIGHBOURS}"), files).attached()
    np.testing.assert_array_equal(both_years.panel.cycle["unemployment|neighbours"], before.panel.cycle["unemployment|neighbours"])


# ---------------------------------------------------------------------- filters


def test_a_filter_sees_the_whole_file_and_gives_the_panels_periods(tmp_path):
    from evaluation.series.filters import hodrick_prescott

    years = tuple(range(2004, 2020))
    known = values(9, 16)
    files = {"unemployment.csv": statbank(both(), years, known)}
    prepared = World(tmp_path, cycle("") + table('filter = "hp"'), files).attached()
    np.testing.assert_allclose(row(prepared, "unemployment", "Odense"), hodrick_prescott(known[6], "year")[6:13], atol=1e-12)
    facts = prepared.context.series[0].facts
    assert (facts["filter"], facts["smoothing"]) == ("hp", 6.25)


def test_no_filter_touches_the_outcome(tmp_path):
    files = {"unemployment.csv": statbank(both(), tuple(range(2000, 2020)), values(9, 20))}
    outcomes = [
        World(tmp_path / name, cycle("") + table(f'filter = "{name}"'), files).attached().panel.outcome
        for name in ("none", "hp", "hamilton", "baxter_king", "christiano_fitzgerald")
    ]
    for other in outcomes[1:]:
        np.testing.assert_array_equal(other, outcomes[0])
