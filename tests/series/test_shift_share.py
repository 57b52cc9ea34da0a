"""Predicted demand: against a slow twin, and that nothing of a unit's own labour market comes back to it."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.series.shift_share import effective_shocks
from tests.series.test_matching import FLOWS, NAMES, commuting
from tests.series.world import INDUSTRIES, TREATED, World, both, row

PERIODS = tuple(range(2010, 2017))
LEVELS = '[cycle]\n[cycle.shares]\nemployment = "jobs.csv"\n'
NEAR = '[cycle]\nneighbours = "commuting.csv"\n[cycle.shares]\nemployment = "jobs.csv"\n'
SHARES = '[cycle]\n[cycle.shares]\nshares = "shares.csv"\ngrowth = "growth.csv"\n'


def employment(seed=7):
    """(places, industries, years) persons."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(500, 9000, (9, 4, 1))
    return np.rint(start * np.cumprod(1 + rng.normal(0.01, 0.03, (9, 4, 7)), axis=2))


def jobs(persons, industries=INDUSTRIES, years=PERIODS):
    rows = [
        f"{label};{industry};SYNTHETIC;{year};{persons[i, k, t]:.0f}"
        for i, label in enumerate(both())
        for k, industry in enumerate(industries)
        for t, year in enumerate(years)
    ]
    return "OMRÅDE;BRANCHE;DATA;TID;INDHOLD\n" + "\n".join(rows) + "\n"


def twin(persons, own_area, base):
    """The definition, one number at a time: Σ share × growth in all places that are neither near nor treated."""
    predicted = np.zeros((9, 7))
    for i in range(9):
        for t in range(7):
            for k in range(4):
                then = now = 0.0
                for j in range(9):
                    if not own_area(i, j) and NAMES[j] != TREATED:
                        then += persons[j, k, base]
                        now += persons[j, k, t]
                share = persons[i, k, base] / persons[i, :, base].sum()
                predicted[i, t] += share * 100 * (now / then - 1)
    return predicted


def test_it_is_base_shares_times_growth_elsewhere(tmp_path):
    persons = employment()
    prepared = World(tmp_path, LEVELS, {"jobs.csv": jobs(persons)}).attached()
    expected = twin(persons, lambda i, j: i == j, base=3)  # 2013: the last year before the programme
    for i, name in enumerate(NAMES):
        np.testing.assert_allclose(row(prepared, "shift_share", name), expected[i], atol=1e-9)
    assert prepared.context.facts["left_out"] == "own"


def test_with_commuting_the_whole_commuting_area_is_left_out(tmp_path):
    persons = employment()
    prepared = World(tmp_path, NEAR, {"jobs.csv": jobs(persons), "commuting.csv": commuting()}).attached()
    share = FLOWS / FLOWS.sum(axis=1, keepdims=True)
    expected = twin(persons, lambda i, j: i == j or share[i, j] > 0.10 or share[j, i] > 0.10, base=3)
    for i, name in enumerate(NAMES):
        np.testing.assert_allclose(row(prepared, "shift_share", name), expected[i], atol=1e-9)
    facts = prepared.context.facts
    assert facts["left_out"] == "own_commuting_area"
    assert prepared.context.series[-1].facts["most_left_out"] == 2


@pytest.mark.parametrize("where", ["own", "treated"])
def test_a_boom_of_ones_own_predicts_nothing_for_oneself_and_the_programme_nothing_for_anybody(tmp_path, where):
    persons = employment()
    booming = persons.copy()
    place = NAMES.index(TREATED if where == "treated" else "Odense")
    booming[place, :, 4:] *= 3
    calm, boom = (World(tmp_path / name, LEVELS, {"jobs.csv": jobs(each)}).attached() for name, each in (("a", persons), ("b", booming)))
    moved = np.abs(calm.panel.cycle["shift_share"] - boom.panel.cycle["shift_share"]).max(axis=1) > 1e-9
    assert not moved[calm.panel.units.index(NAMES[place])]
    # elsewhere it counts as growth, unless it is the treated unit's
    assert moved.sum() == (0 if where == "treated" else 8)


def test_the_base_can_be_chosen_and_is_where_growth_is_zero(tmp_path):
    persons = employment()
    prepared = World(tmp_path, LEVELS + "base = 2011\n", {"jobs.csv": jobs(persons)}).attached()
    assert np.abs(prepared.panel.cycle["shift_share"][:, 1]).max() == 0
    assert prepared.context.series[0].facts["base"] == "2011"


def test_shares_add_up_to_one_and_the_shocks_are_counted(tmp_path):
    persons = employment()
    facts = World(tmp_path, LEVELS, {"jobs.csv": jobs(persons)}).attached().context.facts
    share = persons[:, :, 3] / persons[:, :, 3].sum(axis=1, keepdims=True)
    assert facts["industries"] == 4
    assert facts["effective_shocks"] == pytest.approx(1 / np.sum(share.mean(axis=0) ** 2))
    for key in ("share_sum_min", "share_sum_mean", "share_sum_max"):
        assert facts[key] == pytest.approx(1)


def test_equal_industries_are_as_many_shocks_and_one_that_is_all_is_one():
    assert effective_shocks(np.full((5, 8), 1 / 8)) == pytest.approx(8)
    assert effective_shocks(np.eye(8)[[2] * 5]) == pytest.approx(1)


# ---------------------------------------------------------------------- shares and growth from two files


def shares_csv(shares, year=2013):
    rows = [f"{label};{industry};SYNTHETIC;{year};{shares[i, k]:.2f}".replace(".", ",") for i, label in enumerate(both()) for k, industry in enumerate(INDUSTRIES)]  # fmt: skip
    return "OMRÅDE;BRANCHE;DATA;TID;INDHOLD\n" + "\n".join(rows) + "\n"


def growth_csv(growth, industries=INDUSTRIES, years=PERIODS):
    rows = [f"{industry};SYNTHETIC;{year};{growth[k, t]:.2f}".replace(".", ",") for k, industry in enumerate(industries) for t, year in enumerate(years)]  # fmt: skip
    return "BRANCHE;DATA;TID;INDHOLD\n" + "\n".join(rows) + "\n"


PARTS = np.array([[10 + i, 40 - i, 20.5, 29.5] for i in range(9)])
RATES = np.round(np.random.default_rng(8).normal(1, 3, (4, 7)), 2)


def test_growth_is_compounded_from_the_base(tmp_path):
    prepared = World(tmp_path, SHARES, {"shares.csv": shares_csv(PARTS), "growth.csv": growth_csv(RATES)}).attached()
    for i, name in enumerate(NAMES):
        for t in range(7):
            predicted = 0.0
            for k in range(4):
                level = {3: 1.0}
                for later in range(4, 7):
                    level[later] = level[later - 1] * (1 + RATES[k, later] / 100)
                for earlier in range(2, -1, -1):
                    level[earlier] = level[earlier + 1] / (1 + RATES[k, earlier + 1] / 100)
                predicted += PARTS[i, k] / 100 * 100 * (level[t] - 1)
            assert row(prepared, "shift_share", name)[t] == pytest.approx(predicted, abs=1e-9)
    assert [note.code for note in prepared.context.notes] == ["growth_of_the_nation"]


def test_shares_of_one_and_of_a_hundred_are_the_same(tmp_path):
    growth = growth_csv(RATES)
    percent = World(tmp_path / "a", SHARES, {"shares.csv": shares_csv(PARTS), "growth.csv": growth}).attached()
    ones = np.round(PARTS / 100, 2)
    rounded = World(tmp_path / "b", SHARES, {"shares.csv": shares_csv(ones), "growth.csv": growth}).attached()
    # 20.5 per cent is written as 0.20 or 0.21
    np.testing.assert_allclose(rounded.panel.cycle["shift_share"], percent.panel.cycle["shift_share"], atol=0.2)


def test_shares_that_sum_to_more_than_all_are_refused(tmp_path):
    above = PARTS.copy()
    above[[2, 5], 0] += [5, 9]
    problems = World(tmp_path, SHARES, {"shares.csv": shares_csv(above), "growth.csv": growth_csv(RATES)}).problems()
    assert problems == [
        "the shares of 2 of 9 units sum to more than 1, the most in 'Aarhus' (1.090); does the file hold a total, or an industry twice?"
    ]


def test_shares_that_sum_to_less_are_said(tmp_path):
    below = PARTS.copy()
    below[4, 1] -= 7
    prepared = World(tmp_path, SHARES, {"shares.csv": shares_csv(below), "growth.csv": growth_csv(RATES)}).attached()
    note = next(note for note in prepared.context.notes if note.code == "shares_incomplete")
    assert note.text == (
        "the shares of 1 of 9 units sum to less than 1, the least in 'Aalborg' (0.930); what is missing counts as industries that "
        "never grow"
    )
    assert prepared.context.facts["share_sum_min"] == pytest.approx(0.93)


def without(text, word):
    return "\n".join(line for line in text.splitlines() if word not in line) + "\n"


PERSONS = employment()
WITH_TOTAL = np.concatenate([PERSONS, PERSONS.sum(axis=1, keepdims=True)], axis=1)
GOOD = {"shares.csv": shares_csv(PARTS), "growth.csv": growth_csv(RATES), "jobs.csv": jobs(PERSONS)}


@pytest.mark.parametrize(
    ("cycle", "file", "text", "expected"),
    [
        (LEVELS, "jobs.csv", jobs(WITH_TOTAL, (*INDUSTRIES, "I alt")),
         "'I alt' in jobs.csv is the sum of the other industries; leave its rows out, e.g. with where"),
        (LEVELS, "jobs.csv", without(jobs(PERSONS), "461 Odense;trade;SYNTHETIC;2012"),
         "jobs.csv has no value for 1 of 288 cells; where nobody works in an industry, write 0"),
        (LEVELS, "jobs.csv", without(jobs(PERSONS), "461 Odense"), "jobs.csv lacks 1 of 9 units: 'Odense'; it holds 8 municipalities"),
        (LEVELS, "jobs.csv", without(jobs(PERSONS), ";2016;"),
         "jobs.csv runs from 2010 to 2015, the panel from 2010 to 2016; the window ends in 2015, so write periods = [2010, 2015] in [data]"),
        (LEVELS + "base = 2015\n", "jobs.csv", jobs(PERSONS),
         "the base is 2015, but the programme begins in 2014; shares must be from before it"),
        (LEVELS, "jobs.csv", jobs(np.where(np.arange(9)[:, None, None] == 2, PERSONS, PERSONS * (np.arange(4) != 1)[:, None])),
         "jobs.csv: in 2013 nobody worked in 'trade' outside the unit's own area; growth needs a level to start from"),
        (SHARES, "growth.csv", growth_csv(RATES, ("farming", "trades", "building", "health")),
         "no growth for 1 of 4 industries: 'trade'; did you mean 'trades'?"),
        (SHARES, "growth.csv", without(growth_csv(RATES), ";2016;"),
         "growth.csv has growth from 2010 to 2015; it is needed from 2011 to 2016"),
        (SHARES, "shares.csv", shares_csv(PARTS, 2014),
         "shares.csv has shares of 2014, but the programme begins in 2014; they must be older"),
        (SHARES + "base = 2012\n", "shares.csv", shares_csv(PARTS), "shares.csv has no shares for the base, 2012; it holds 2013"),
        (SHARES, "shares.csv", shares_csv(PARTS).replace("OMRÅDE", "STED"),
         'which column of shares.csv holds the area? write unit = "..."; there are STED, BRANCHE, DATA, TID and INDHOLD'),
    ],
    ids=["total", "gap", "unit", "period", "base late", "nobody", "industry", "growth short", "shares late", "base absent", "column"],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path, cycle, file, text, expected):
    assert World(tmp_path, cycle, GOOD | {file: text}).problems() == [expected]
