"""What is wrong with a series is said in words: what, where, how often, and what to do; all of it at once, each at its line."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.series.test_matching import FLOWS, NAMES, NEIGHBOURS, OWN, commuting, cycle, table
from tests.series.world import UNITS, YEARS, World, both, long_csv, outcome, statbank, values

KNOWN = values(9, 7)
MONTHS = [f"{year}M{month:02d}" for year in YEARS for month in range(1, 13)]
PER_CENT = 'value_unit = "per cent of the labour force"'


def gap(cells, known=KNOWN):
    made = known.copy()
    for i, t in cells:
        made[i, t] = np.nan
    return made


def by_sex():
    lines = statbank(both(), YEARS, KNOWN, "OMRÅDE;KØN;TID;INDHOLD", "I alt").splitlines()
    return "\n".join([*lines, *(line.replace("I alt", "Mænd") for line in lines[1:])]) + "\n"


NO_DATA = statbank(both(), YEARS, KNOWN)
ISLAND = "from,to\n" + "\n".join(f"{a},{b}" for a, b in pairwise(NAMES[1:-1])) + "\n"

CASES = {
    "no_such_file": (cycle('series = "unemploymnet.csv"'), NO_DATA,
        "unemploymnet.csv: no such file; did you mean 'unemployment.csv'?"),
    "unit_missing": (cycle(OWN), statbank([label for label in both() if "Odense" not in label], YEARS, KNOWN[:8]),
        "unemployment.csv lacks 1 of 9 units: 'Odense'; it holds 8 municipalities"),
    "unit_misspelt": (cycle(OWN), long_csv([name.replace("Hjørring", "Hjøring") for name in NAMES], YEARS, KNOWN),
        "unemployment.csv lacks 1 of 9 units: 'Hjørring'; did you mean 'Hjøring'?"),
    "gaps": (cycle(OWN), statbank(both(), YEARS, gap([(0, 2), (4, 6)])),
        "unemployment.csv has no value for 2 of 63 cells: 'Aalborg' in 2016, 'Hjørring' in 2012"),
    "month_missing": (cycle(OWN), statbank(both(), MONTHS, gap([(3, 30)], values(9, 84))),
        "unemployment.csv has no value for 1 of 63 cells: 'Frederikshavn' in 2012; a year with a missing month is a gap"),
    "ends_in_the_window": (cycle(OWN), statbank(both(), YEARS[:5], KNOWN[:, :5]),
        "unemployment.csv runs from 2010 to 2014, the panel from 2010 to 2016; it lacks 2015 and 2016"),
    "ends_after_the_window": (cycle(OWN), statbank(both(), YEARS[:6], KNOWN[:, :6]),
        "unemployment.csv runs from 2010 to 2015, the panel from 2010 to 2016; the window ends in 2015, so write periods = [2010, 2015] in [data]"),
    "begins_late": (cycle(OWN), statbank(both(), MONTHS[14:], values(9, 70)),
        "unemployment.csv runs from 2012 to 2016, the panel from 2010 to 2016; it lacks 2010 and 2011 (of 12 months each)"),
    "only_later": (cycle(OWN), statbank(both(), (2020, 2021, 2022), KNOWN[:, :3]),
        "unemployment.csv runs from 2020 to 2022, the panel from 2010 to 2016; it lacks 2010, 2011, 2012, 2013, 2014, 2015 and 1 more"),
    "twice": (cycle(OWN), by_sex(),
        "unemployment.csv: 63 cells have more than one row, the first: '101 København' in 2010; column 'KØN' holds 'I alt' and 'Mænd': choose with where = { \"KØN\" = \"...\" }"),
    "constant": (cycle(OWN), statbank(both(), YEARS, np.full((9, 7), 4.0)),
        "unemployment.csv has the same value in all units and periods; is this the column of the values?"),
    "national": (cycle(OWN), statbank(both(), YEARS, np.tile(KNOWN[0], (9, 1))),
        'unemployment.csv has the same value for all units in every period, so it is national; write level = "nation"'),
    "never_changes": (cycle(OWN), statbank(both(), YEARS, np.tile(KNOWN[:, :1], (1, 7))),
        "unemployment.csv never changes within a unit; a comparison over time has taken that out already"),
    "above_a_hundred": (cycle("") + table(PER_CENT), statbank(both(), YEARS, KNOWN + 98 * (KNOWN > 7.5)),
        f"the values are said to be per cent, but {int((KNOWN > 7.5).sum())} of 63 cells of unemployment.csv are above 100"),
    "negative": (cycle("") + table(PER_CENT), statbank(both(), YEARS, KNOWN - 3),
        f"{int((KNOWN - 3 < 0).sum())} of 63 cells of unemployment.csv are negative; a per cent of persons cannot be"),
    "no_such_column": (cycle("") + table('value = "INDHOL"'), NO_DATA, "no column 'INDHOL' in unemployment.csv; did you mean 'INDHOLD'?"),
    "no_such_value": (cycle("") + table('where = { DATA = "REAL" }'), NO_DATA, "no row has 'REAL' in 'DATA'; there are SYNTHETIC"),
    "which_value": (cycle(OWN), "område,tid,men,women\n860,2010,1.5,2.5\n",
        'which column of unemployment.csv holds the values? write value = "..."; there are område, tid, men and women'),
    "too_rare": (cycle(OWN), NO_DATA, "unemployment.csv holds years, but the panel has quarters; a series must be at least as frequent"),
    "no_region": (cycle("") + table('level = "region"'), NO_DATA,
        "unemployment.csv has no region around 9 of 9 units: 'Aalborg', 'Aarhus', 'Brønderslev', 'Esbjerg', 'Frederikshavn', 'Hjørring' and 3 more"),
    "no_nation": (cycle("") + table('level = "nation"'), NO_DATA,
        "unemployment.csv has 9 areas, and none of them is the nation; choose one with where"),
    "filter_loses_ends": (cycle("") + table('filter = "baxter_king"'), statbank(both(), tuple(range(2008, 2020)), values(9, 12)),
        "baxter_king gives no value at each end of a series, and so none for 2010 of the panel; give a longer series, or choose another filter"),
    "filter_too_short": (cycle("") + table('filter = "hamilton"'), NO_DATA,
        "hamilton needs at least 11 years in a row, and unemployment.csv has fewer (9 of 9 areas)"),
    "one_area_twice": (cycle(OWN), long_csv([*NAMES, "Copenhagen"], YEARS, values(10, 7)),
        "unemployment.csv has 'Copenhagen' and 'København', which are the same area; keep one of them"),
    "no_area": (cycle(OWN), "tid,ledige\n2010,1.5\n2011,2.5\n",
        'which column of unemployment.csv holds the area? write unit = "..."; there are tid and ledige'),
    "text": (cycle(OWN), long_csv(NAMES, YEARS, KNOWN).replace("5.", "five "), None),
    "nobody_around": (cycle(f"{OWN}\n{NEIGHBOURS}"), NO_DATA,
        "commuting.csv leaves 2 of 9 units without a neighbour (the treated do not count): 'Esbjerg' and 'Hjørring'; exclude them under [controls], or give commuting between all units"),
    "commuting_too_late": (cycle(f"{OWN}\n{NEIGHBOURS}"), NO_DATA,
        "commuting.csv begins in 2014, but the programme in 2014; commuting must be from before it"),
}  # fmt: skip
FURTHER = {
    "nobody_around": {"commuting.csv": ISLAND},
    "commuting_too_late": {"commuting.csv": commuting(FLOWS, 2014)},
}
QUARTERS = {
    "too_rare": {
        "periods": tuple(f"{year}Q{quarter}" for year in (2013, 2014) for quarter in range(1, 5)),
        "start": '"2014Q1"',
        "window": '["2014Q1", "2014Q4"]',
    }
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_said(tmp_path, name):
    text, file, expected = CASES[name]
    world = World(tmp_path, text, {"unemployment.csv": file} | FURTHER.get(name, {}), **QUARTERS.get(name, {}))
    problems = world.problems()
    if expected is None:
        (only,) = problems
        assert only.startswith("unemployment.csv, column 'value': ")
        assert "not a number" in only
        assert "five" not in only
    else:
        assert problems == [expected]


def test_a_series_that_is_the_outcome_is_refused(tmp_path):
    """Under another name, on another scale: taking it out would take the effect out."""
    text = outcome(NAMES, YEARS)
    lines = [line.split(",") for line in text.splitlines()[1:]]
    scaled = "area,year,value\n" + "".join(f"{unit},{year},{-3 * float(value) + 500:.4f}\n" for unit, year, value in lines)
    assert World(tmp_path, cycle(OWN), {"unemployment.csv": scaled}).problems() == [
        "unemployment.csv is the outcome itself, or moves exactly as it does; taking it out of the outcome would take the effect out too"
    ]


def test_shares_called_per_cent_are_a_remark(tmp_path):
    text = statbank(both(), YEARS, np.round(KNOWN / 10, 2))
    prepared = World(tmp_path, cycle("") + table(PER_CENT), {"unemployment.csv": text}).attached()
    assert [note.code for note in prepared.context.notes] == ["series_not_per_cent"]


def test_a_negative_growth_in_per_cent_is_no_mistake(tmp_path):
    text = statbank(both(), YEARS, KNOWN - 5)
    more = f'name = "demand"\n{PER_CENT.replace("labour force", "year before")}'
    assert World(tmp_path, cycle("") + table(more), {"unemployment.csv": text}).attached().panel.cycle["demand"].min() < 0


def test_places_without_a_map_have_no_regions_and_a_hint_by_name(tmp_path):
    units = ("North Shore", "South Shore", "The Hills", "Old Town")
    files = {"unemployment.csv": long_csv(("North Shore", "South Shore", "The Hill", "Old Town"), YEARS, KNOWN[:4])}
    common = {"units": units, "treated": "Old Town"}
    assert World(tmp_path, cycle(OWN), files, **common).problems() == [
        "unemployment.csv lacks 1 of 4 units: 'The Hills'; did you mean 'The Hill'?"
    ]
    assert World(tmp_path, cycle("") + table('level = "region"'), files, **common).problems() == [
        'level = "region" is for Danish areas, which the units of this panel are not; leave it out'
    ]


def test_all_problems_come_at_once_each_at_its_line(tmp_path):
    text = cycle(NEIGHBOURS) + (
        '[[cycle.series]]\npath = "unemployment.csv"\n'
        '[[cycle.series]]\npath = "absent.csv"\n'
        '[[cycle.series]]\nname = "other"\npath = "unemployment.csv"\nvalue = "nothing"\n'
        '[cycle.rings]\nfirst = ["Jammerbugt", "Aalborgg"]\n'
    )
    files = {"unemployment.csv": statbank(both(), YEARS, gap([(0, 2)])), "commuting.csv": commuting(FLOWS, 2015)}
    assert World(tmp_path, text, files).places() == [
        'neighbours = "commuting.csv"',
        'path = "unemployment.csv"',
        'path = "absent.csv"',
        'value = "nothing"',
        'first = ["Jammerbugt", "Aalborgg"]',
    ]


def test_no_message_quotes_a_number_from_a_file(tmp_path):
    secret = statbank(both(), YEARS, np.where(KNOWN > 7, 777.77, KNOWN))
    (what,) = World(tmp_path, cycle("") + table(PER_CENT), {"unemployment.csv": secret}).problems()
    assert "777" not in what
    assert len(UNITS) == 9
