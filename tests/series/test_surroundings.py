"""Rings, reforms, negative controls, groups of donors and a second group: what checks look at beside the series."""

from __future__ import annotations

import numpy as np
import pytest

from tests.series.test_matching import NAMES, cycle, table
from tests.series.world import UNITS, YEARS, World, both, long_csv, outcome, row, statbank, values

KNOWN = values(9, 7)
SHARES = np.round(np.random.default_rng(11).uniform(8, 82, (9, 2)), 1)
POLICY = '[[cycle.policy]]\nname = "rule"\npath = "rule.csv"\nstart = 2015\n'


def test_the_second_ring_is_the_rest_of_the_region(tmp_path):
    text = cycle("") + '[cycle.rings]\nfirst = ["Jammerbugt", "810", "Frederikshavn"]\n'
    world = World(tmp_path, text, data='areas = "municipality"')
    assert world.attached().context.rings == (("Jammerbugt", "Brønderslev", "Frederikshavn"), ("Aalborg",))


def test_rings_can_be_declared_and_hold_no_unit_that_was_left_out(tmp_path):
    text = cycle("") + '[cycle.rings]\nfirst = ["Jammerbugt", "Odense"]\nsecond = ["Aarhus"]\n'
    world = World(tmp_path, text, controls='[controls]\nexclude = ["Odense"]')
    assert world.attached().context.rings == (("Jammerbugt",), ("Aarhus",))


def test_without_a_region_there_is_no_second_ring(tmp_path):
    assert World(tmp_path, cycle("") + '[cycle.rings]\nfirst = ["Aalborg"]\n').attached().context.rings == (("Aalborg",),)


def test_a_reform_has_the_mean_share_of_each_unit(tmp_path):
    text = statbank(both(), ("2016M11", "2016M12"), SHARES)
    (rule,) = World(tmp_path, cycle("") + POLICY, {"rule.csv": text}).attached().context.policies
    panel_order = sorted(range(9), key=lambda place: NAMES[place])
    np.testing.assert_allclose(rule.share, SHARES.mean(axis=1)[panel_order] / 100)
    assert (rule.name, rule.start, rule.label) == ("rule", 5, {"en": "rule"})


def test_a_reforms_shares_may_be_parts_of_one_and_have_no_period(tmp_path):
    lines = "".join(f"{name},{share / 100:.3f}\n" for name, share in zip(NAMES, SHARES[:, 0], strict=True))
    (rule,) = World(tmp_path, cycle("") + POLICY, {"rule.csv": "kommune,share\n" + lines}).attached().context.policies
    assert rule.share[sorted(NAMES).index("Odense")] == pytest.approx(SHARES[6, 0] / 100)


@pytest.mark.parametrize(
    ("policy", "shares", "expected"),
    [
        (POLICY.replace("2015", "2010"), SHARES,
         "the reform starts in 2010, but the panel runs from 2010 to 2016; it must start within it, after its first period"),
        (POLICY, SHARES + 90 * (SHARES > 60), "rule.csv: the share of {n} units is not between 0 and 1, nor 0 and 100 per cent"),
        (POLICY, np.full((9, 2), 40.0), "rule.csv has the same share for all units, so nobody was hit more than others"),
        (POLICY, np.where(np.arange(9)[:, None] == 3, np.nan, SHARES), "rule.csv lacks 1 of 9 units: 'Frederikshavn'; it holds 8 municipalities"),
    ],
    ids=["start", "beyond", "same", "missing"],
)  # fmt: skip
def test_what_is_wrong_with_a_reform(tmp_path, policy, shares, expected):
    text = statbank(both(), ("2016M11", "2016M12"), shares)
    count = int((shares.mean(axis=1) > 100).sum())
    assert World(tmp_path, cycle("") + policy, {"rule.csv": text}).problems() == [expected.format(n=count)]


def test_a_series_may_be_a_negative_control_and_does_not_explain_itself(tmp_path):
    text = cycle("") + table("") + '[[cycle.series]]\npath = "jobs.csv"\nnegative_control = true\nvalue_unit = "%"\n'
    files = {"unemployment.csv": statbank(both(), YEARS, KNOWN), "jobs.csv": statbank(both(), YEARS, KNOWN[::-1] + 60)}
    prepared = World(tmp_path, text, files).attached()
    (control,) = prepared.context.negative_controls
    np.testing.assert_array_equal(control.panel.outcome, prepared.panel.cycle["jobs"])
    assert set(control.panel.cycle) == {"unemployment", "unemployment|nation"}
    np.testing.assert_array_equal(control.panel.start, prepared.panel.start)
    assert (control.kind, control.unit, control.until) == ("outcome", {"en": "%"}, None)


def test_a_filtered_series_is_unfiltered_as_an_outcome(tmp_path):
    years = tuple(range(2005, 2020))
    known = values(9, 15)
    text = cycle("") + table('filter = "hp"\nnegative_control = true')
    prepared = World(tmp_path, text, {"unemployment.csv": statbank(both(), years, known)}).attached()
    (control,) = prepared.context.negative_controls
    np.testing.assert_allclose(control.panel.outcome[prepared.panel.units.index("Odense")], known[6, 5:12])
    assert not np.allclose(row(prepared, "unemployment", "Odense"), known[6, 5:12])


NEGATIVE = '[[cycle.negative_control]]\nname = "births"\npath = "births.csv"\n'


def test_a_negative_control_of_its_own_may_end_early(tmp_path):
    files = {"births.csv": long_csv(NAMES, YEARS[:6], KNOWN[:, :6])}
    (control,) = World(tmp_path, cycle("") + NEGATIVE + "until = 2015\n", files).attached().context.negative_controls
    assert control.until == 5
    assert np.isfinite(control.panel.outcome[:, :6]).all()
    assert np.isnan(control.panel.outcome[:, 6]).all()


@pytest.mark.parametrize(
    ("more", "text", "expected"),
    [
        ("until = 2013\n", long_csv(NAMES, YEARS, KNOWN),
         "until is 2013; the programme begins in 2014, and the panel ends in 2016: write a period between them, or leave it out"),
        ("", outcome(sorted(NAMES), YEARS).replace("kommune,tid,timer", "area,year,value"), None),
        ("", long_csv(NAMES, YEARS[:4], KNOWN), "births.csv runs from 2010 to 2013, the panel from 2010 to 2016; it lacks 2014, 2015 and 2016"),
        ('outcome = "value2"\n', long_csv(NAMES, YEARS, KNOWN), "no column 'value2' in births.csv; did you mean 'value'?"),
    ],
    ids=["until", "outcome", "short", "column"],
)  # fmt: skip
def test_what_is_wrong_with_a_negative_control(tmp_path, more, text, expected):
    files = {"births.csv": text}
    if expected is None:
        # the outcome of the evaluation, row by row
        files["outcome.csv"] = text.replace("area,year,value", "kommune,tid,timer")
        expected = "births.csv is the outcome of the evaluation itself, which the programme was meant to move"
    assert World(tmp_path, cycle("") + NEGATIVE + more, files).problems() == [expected]


def test_a_regional_series_is_no_negative_control(tmp_path):
    text = cycle("") + table('level = "region"\nnegative_control = true')
    files = {"unemployment.csv": statbank(["081", "082", "083", "084"], YEARS, KNOWN[:4])}
    assert World(tmp_path, text, files).problems() == [
        "a negative control needs a value for each unit, and this series has one for several together; leave this out"
    ]


def test_groups_of_donors_and_the_date_of_the_declaration(tmp_path):
    text = cycle("") + '[[cycle.group]]\nname = "large cities"\nunits = ["Aarhus", "101", "Odense"]\n'
    context = World(tmp_path, text, top='declared = "2014-11-20"').attached().context
    assert dict(context.donor_groups) == {"large cities": ("Aarhus", "København", "Odense")}
    assert context.frozen == "2014-11-20"
    assert World(tmp_path, cycle(""), top="declared = 2014-11-20").attached().context.frozen == "2014-11-20"
    assert World(tmp_path, cycle("")).attached().context.frozen == ""


def test_a_unit_that_is_not_there_is_looked_for(tmp_path):
    text = cycle("") + '[[cycle.group]]\nname = "cities"\nunits = ["Aahus", "Thisted"]\n'
    assert World(tmp_path, text).problems() == [
        "no unit 'Aahus' in the panel; did you mean 'Aarhus'?",
        f"no unit 'Thisted' in the panel; there are {', '.join(sorted(UNITS.values())[:6])} and 3 more",
    ]


def test_a_second_group_is_the_same_panel_with_other_outcomes(tmp_path):
    text = cycle("") + '[cycle.second_group]\npath = "others.csv"\noutcome = "value"\n'
    prepared = World(tmp_path, text, {"others.csv": long_csv(NAMES, YEARS, KNOWN)}).attached()
    second = prepared.context.second_group
    assert second is not None
    np.testing.assert_allclose(second.outcome[second.units.index("Esbjerg")], KNOWN[8])
    np.testing.assert_array_equal(second.start, prepared.panel.start)
    assert second.window == prepared.panel.window


def test_units_are_found_under_any_of_their_names_also_when_the_panel_has_them_in_english(tmp_path):
    units = tuple("Copenhagen" if name == "København" else name for name in NAMES)
    text = cycle("") + '[cycle.rings]\nfirst = ["København", "810"]\nsecond = ["Aalborg"]\n'
    assert World(tmp_path, text, units=units).attached().context.rings == (("Copenhagen", "Brønderslev"), ("Aalborg",))
