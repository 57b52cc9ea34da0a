"""Other populations: the same question asked of other persons, what cannot be moved, and what happens when it is not known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluation.errors import DataError, EstimationError
from evaluation.panel import Panel
from evaluation.prepare import Prepared
from evaluation.register import flow, measure, others
from evaluation.register.cells import to_panel
from evaluation.register.engine import EngineError, open_engine
from evaluation.register.gather import Asked as Population
from evaluation.register.gather import gather_all, possible
from evaluation.register.layout import read_layout
from evaluation.run import load_spec
from evaluation.simulate import simulate
from tests.register.registers import SmallSources, register_of
from tests.register.twin import Asked, random_rows

SPEC = """
question = "Did it?"
languages = ["da", "en"]

[register]
population = "registers/bef/*.parquet"
benefits = "registers/dream.parquet"
hours = "registers/bfl/*.parquet"
education = "registers/udda.parquet"
periods = [2009, 2018]
synthetic = true

[register.who]
baseline = "2014-12"

[register.balance]
method = "propensity"
covariates = ["sex", "age"]

[[register.negative_group]]
label = { da = "unge", en = "the young" }
benefit = "uddannelseshjælp"
until = 2016

[[register.negative_group]]
label = "insured"
benefit = "dagpenge"

[register.second_group]
label = "sick-listed"
benefit = "sygedagpenge"

[treatment]
units = ["Hjørring"]
start = 2015
window = [2015, 2018]

[controls]
exclude = ["Silkeborg"]
exclude_reason = "invested as well"

[headline]
method = "did"
"""


ALONE = SPEC[: SPEC.index("[[register.negative_group]]")] + SPEC[SPEC.index("[treatment]") :]
"""Without the other groups, whose reading takes as long again."""


def silent(stage: str, text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Ready:
    """A simulated register, its spec, and what was prepared from it once."""

    folder: Path
    prepared: Prepared

    def again(self, *changes: tuple[str, str], text: str = SPEC) -> Prepared:
        """Prepare the spec with some of its text changed."""
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        path = self.folder / "changed.toml"
        path.write_text(text, encoding="utf-8")
        return flow.prepare(load_spec(path), silent).prepared


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("others")
    simulate(folder / "registers", scenario="effect", persons=6_000, seed=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETTOEFFEKT_CACHE", str(folder / "cache"))
        (folder / "spec.toml").write_text(SPEC, encoding="utf-8")
        yield Ready(folder, flow.prepare(load_spec(folder / "spec.toml"), silent).prepared)


def row(panel: Panel, unit: str = "Hjørring") -> np.ndarray:
    return panel.outcome[panel.units.index(unit)]


# ------------------------------------------------------------------ alignment


def test_every_panel_follows_the_units_periods_and_treatment_of_the_headline(ready: Ready) -> None:
    main, context = ready.prepared.panel, ready.prepared.context
    assert set(context.variants) == {"unweighted", "stock", "stock_reweighted"}
    assert [(each.name, each.kind) for each in context.negative_controls] == [
        ("dead", "outcome"),
        ("emigrated", "outcome"),
        ("uddannelseshjælp", "group"),
    ]
    order = {name: place for place, name in enumerate(main.units)}
    for panel in (*context.variants.values(), *(each.panel for each in context.negative_controls)):
        places = [order[name] for name in panel.units]
        assert places == sorted(places), "in the order of the headline's panel"
        assert "Silkeborg" not in panel.units, "who is no control of the headline is none here"
        assert panel.periods == main.periods
        assert [panel.units[place] for place in np.flatnonzero(panel.treated)] == ["Hjørring"]
        assert panel.starts == main.starts
        assert panel.window == main.window
        assert panel.region is not None
        assert main.region is not None
        assert np.array_equal(panel.region, main.region[places])
        assert panel.balanced
        assert panel.size is not None
        assert panel.size.min() > 0
        assert panel.noise is not None
        assert np.isfinite(panel.noise).all()


def test_the_second_group_keeps_every_cell_so_that_it_can_be_taken_from_the_first(ready: Ready) -> None:
    second, main = ready.prepared.context.second_group, ready.prepared.panel
    assert second is not None
    assert (second.units, second.periods) == (main.units, main.periods)
    assert not second.balanced, "six thousand persons leave municipalities without a single one on sick leave"
    assert np.isfinite(row(second)).all()


def test_a_group_may_be_looked_at_as_long_as_the_programme_did_not_reach_it(ready: Ready) -> None:
    young = ready.prepared.context.negative_controls[2]
    assert young.until is not None
    assert young.panel.periods[young.until].label == "2016"
    assert young.label == {"da": "unge", "en": "the young"}


# ------------------------------------------------------------------ against the long way round


def test_unweighted_is_the_mean_of_the_persons(ready: Ready) -> None:
    """With the weights on, only controls change: the treated are what all others are weighted to."""
    plain = ready.prepared.context.variants["unweighted"]
    without = ready.again(('method = "propensity"', 'method = "none"')).panel
    assert plain.units == without.units
    # the headline's panel passes through a table of rows, so nothing but the order of sums may differ
    np.testing.assert_allclose(plain.outcome, without.outcome, rtol=1e-12)
    np.testing.assert_allclose(plain.noise, without.noise, rtol=1e-12)
    np.testing.assert_array_equal(row(plain), row(ready.prepared.panel))
    assert not np.allclose(plain.outcome, ready.prepared.panel.outcome)


def test_the_stock_is_what_the_spec_gives_by_that_design_and_the_other_way_round(ready: Ready) -> None:
    other = ready.again(('baseline = "2014-12"', 'baseline = "2014-12"\ndesign = "stock"'), text=ALONE)
    stock, complete = ready.prepared.context.variants["stock"], np.isfinite(other.panel.outcome).all(axis=1)
    assert stock.units == tuple(name for name, whole in zip(other.panel.units, complete, strict=True) if whole)
    np.testing.assert_allclose(stock.outcome, other.panel.outcome[complete], rtol=1e-12)
    np.testing.assert_allclose(stock.noise, other.panel.noise[complete], rtol=1e-12)
    assert set(other.context.variants) == {"unweighted", "cohort", "stock_reweighted"}
    cohort, main = other.context.variants["cohort"], ready.prepared.panel
    for name in cohort.units:
        if name in main.units:
            np.testing.assert_allclose(row(cohort, name), row(main, name), rtol=1e-12)
    again = other.context.variants["stock_reweighted"]
    np.testing.assert_allclose(row(again), row(ready.prepared.context.variants["stock_reweighted"]), rtol=1e-12)


def test_the_stock_of_the_baseline_is_the_cohort_in_its_first_year(ready: Ready) -> None:
    """Found in the same December, so the year after it has the same persons; and the mix asked for is already theirs."""
    first = next(place for place, period in enumerate(ready.prepared.panel.periods) if period.label == "2015")
    variants = ready.prepared.context.variants
    assert row(variants["stock"])[first] == pytest.approx(row(ready.prepared.panel)[first])
    assert row(variants["stock_reweighted"])[first] == pytest.approx(row(ready.prepared.panel)[first])


def test_deaths_and_emigration_are_those_of_a_slow_count(ready: Ready) -> None:
    """The same shares from the files, person by person."""
    files = ready.folder / "registers"
    weeks = pd.read_parquet(files / "dream.parquet").set_index("PNR")
    homes = {year: pd.read_parquet(files / "bef" / f"bef{year}.parquet").set_index("PNR") for year in range(2009, 2019)}
    found: dict[str, list[str]] = {}
    asked = weeks[[f"Y_14{week}" for week in (49, 50, 51, 52)] + ["VISIT_4KV2014"]]  # a row of all weeks would be slow to make
    for person, own in asked.iterrows():
        on = any(own[f"Y_14{week}"] in (*range(130, 140), *range(730, 739)) for week in (49, 50, 51, 52))
        if on and own["VISIT_4KV2014"] == 2 and person in homes[2014].index:
            home = homes[2014].loc[person]
            if 18 <= 2014 - pd.Timestamp(home["FOED_DAG"]).year <= 64:
                found.setdefault(str(home["KOM"]), []).append(person)
    last = {year: 53 if year in (2009, 2015) else 52 for year in range(2009, 2019)}
    dead, emigrated = (each.panel for each in ready.prepared.context.negative_controls[:2])
    for code, name in (("860", "Hjørring"), ("851", "Aalborg"), ("101", "København")):
        members = found[code]
        for place, year in enumerate(range(2009, 2019)):
            codes = {person: weeks.loc[person, f"Y_{year % 100:02d}{last[year]}"] for person in members}
            gone = sum(codes[person] == 999 for person in members)
            away = sum(
                codes[person] != 999 and (codes[person] == 997 or person not in homes[year].index) for person in members
            )
            assert row(dead, name)[place] == pytest.approx(100 * gone / len(members))
            assert row(emigrated, name)[place] == pytest.approx(100 * away / len(members))
            assert dead.size is not None
            assert dead.size[dead.units.index(name), place] == len(members)


def test_the_noise_of_a_share_is_binomial_with_the_share_of_the_country() -> None:
    asked = Asked(covariates=())
    with open_engine("duckdb", "300MB") as engine:
        layout = read_layout("statistics-denmark", Path())
        found = gather_all(SmallSources(random_rows(1), layout, engine), {"": Population(register_of(asked))}, silent)[
            ""
        ]
    panel = others.share_panel(found, "dead")
    persons, gone = found.persons.sum(axis=1), found.exits["dead"]
    share = gone.sum(axis=0) / persons.sum()
    np.testing.assert_allclose(panel.outcome, 100 * gone / persons[:, None])
    np.testing.assert_allclose(panel.noise, 1e4 * share * (1 - share) / persons[:, None])
    assert panel.units == to_panel(found, "annual_hours").units


# ------------------------------------------------------------------ one reading, kept apart


def test_several_populations_in_one_reading_are_what_each_is_alone() -> None:
    asked = {
        "": Population(register_of(Asked(covariates=("sex", "hours_before"), periods=(2013, 2016)))),
        "stock": Population(
            register_of(Asked(design="stock", covariates=("sex", "hours_before"), periods=(2013, 2016))), optional=True
        ),
        "ready": Population(
            register_of(Asked(readiness="jobparat", covariates=(), periods=(2013, 2016))), optional=True
        ),
    }
    with open_engine("duckdb", "300MB") as engine:
        layout = read_layout("statistics-denmark", Path())
        rows = random_rows(2)
        together = gather_all(SmallSources(rows, layout, engine), asked, silent)
        for name, one in asked.items():
            alone = gather_all(SmallSources(rows, layout, engine), {name: one}, silent)[name]
            for part in ("count", "total", "squares", "sums", "exits"):
                for key, array in getattr(alone, part).items():
                    np.testing.assert_array_equal(array, getattr(together[name], part)[key])
            assert alone.groups == together[name].groups
            assert dict(alone.counters) == dict(together[name].counters)


def test_a_second_run_reads_nothing_and_a_new_group_is_read_alone(
    ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    ask = measure.gather_all
    monkeypatch.setattr(
        measure, "gather_all", lambda sources, some, say: asked.append(list(some)) or ask(sources, some, say)
    )
    ready.again()
    assert asked == [], "not even for the group that nobody is in"
    ready.again(('benefit = "dagpenge"', 'benefit = "ressourceforløb"'))
    assert asked == [["negative_group.1"]]
    asked.clear()
    ready.again(('method = "propensity"', 'method = "nearest"'))
    assert asked == [], "weights are found on the cells that there are"


# ------------------------------------------------------------------ what cannot be measured


def test_what_cannot_be_measured_is_left_out_with_a_note(ready: Ready) -> None:
    notes = {note.code: note for note in ready.prepared.context.notes}
    assert set(notes) == {"negative_group_left_out"}
    assert notes["negative_group_left_out"].facts["group"] == "dagpenge"
    assert "nobody in the benefit register was on dagpenge" in str(notes["negative_group_left_out"].facts["problem"])


def test_without_the_bridge_the_stock_has_no_past_and_the_run_goes_on(ready: Ready) -> None:
    """Referral categories begin in 2014, so that a stock is first known for 2015, the year the programme starts."""
    made = ready.again(('baseline = "2014-12"', 'baseline = "2014-12"\nbridge = false'), text=ALONE)
    assert set(made.context.variants) == {"unweighted"}
    notes = {note.code: note for note in made.context.notes}
    assert {"stock_left_out", "stock_begins_later"} <= set(notes)
    assert notes["stock_left_out"].facts["problem"] == "it is known for fewer than two periods before the start"
    np.testing.assert_array_equal(made.panel.outcome, ready.prepared.panel.outcome)


def test_an_engine_that_gives_up_over_the_others_is_asked_again_for_the_spec_alone(
    ready: Ready, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And what it could not do is not kept, since it may have room the next time."""
    monkeypatch.setenv("NETTOEFFEKT_CACHE", str(tmp_path))
    ask, asked = measure.gather_all, []

    def small(sources, some, say):
        asked.append(list(some))
        if len(some) > 1:
            raise EngineError("the memory did not suffice")
        return ask(sources, some, say)

    monkeypatch.setattr(measure, "gather_all", small)
    made = ready.again()
    assert asked[1:] == [[""]]
    assert set(made.context.variants) == {"unweighted"}
    assert {note.code for note in made.context.notes} == {
        "stock_left_out", "negative_group_left_out", "second_group_left_out",
    }  # fmt: skip
    assert len(list(tmp_path.glob("cells-*.json"))) == 1
    np.testing.assert_array_equal(made.panel.outcome, ready.prepared.panel.outcome)


def test_the_stock_is_cut_to_the_decembers_and_covariates_that_the_registers_know() -> None:
    class Short(SmallSources):
        """Weeks from 2008 on, categories from 2011 on."""

        def lacking(self, weeks, quarters, bridge=True):
            return [str(each) for each in (*[w for w in weeks if w[0] < 2008], *[q for q in quarters if q[0] < 2011])]

    register = register_of(Asked(design="stock", periods=(2010, 2016)))
    with open_engine("duckdb", "300MB") as engine:
        sources = Short(random_rows(1), read_layout("statistics-denmark", Path()), engine)
        cut = possible(sources, register)
        assert cut.periods == (2012, 2016)
        assert "benefit_years" not in cut.balance.covariates
        assert "hours_before" in cut.balance.covariates
        with pytest.raises(DataError, match="at the end of the last year"):
            possible(sources, register_of(Asked(design="stock", periods=(2009, 2010))))


def test_a_treated_municipality_without_anybody_is_said_so(ready: Ready) -> None:
    panel = ready.prepared.panel
    some = panel.keep_units([place for place, name in enumerate(panel.units) if name != "Hjørring"])
    with pytest.raises(EstimationError, match="has nobody of this group"):
        others.aligned(some, panel)


def test_a_benefit_that_the_layout_does_not_know_is_told_before_anything_is_read(ready: Ready) -> None:
    with pytest.raises(DataError) as told:
        ready.again(('benefit = "dagpenge"', 'benefit = "dagpeng"'), ('benefit = "sygedagpenge"', 'benefit = "sygdom"'))
    said = [str(problem) for problem in told.value.problems]
    assert len(said) == 2
    assert "did you mean 'dagpenge'?" in said[0]


# ------------------------------------------------------------------ with the truth known


def test_pensions_raise_the_stock_and_leave_the_cohort_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two registers of the same draws, with and without more pensions in Hjørring; in both nothing is planted."""
    monkeypatch.setenv("NETTOEFFEKT_CACHE", str(tmp_path / "cache"))
    made, truth = {}, {}
    for scenario in ("null", "null_with_composition"):
        folder = tmp_path / scenario
        simulate(folder / "registers", scenario=scenario, persons=6_000, seed=1)
        known = pd.read_csv(folder / "registers" / "truth" / "effect.csv")
        assert (known["effect"] == 0).all()
        here = (known["group"] == "stock") & (known["municipality"] == 860) & known["year"].between(2015, 2018)
        truth[scenario] = known.loc[here, "hours"].mean()
        (folder / "spec.toml").write_text(ALONE.replace('["sex", "age"]', '["sex"]'), encoding="utf-8")
        made[scenario] = flow.prepare(load_spec(folder / "spec.toml"), silent).prepared
    after = slice(6, 10)

    def change(panels: list[Panel]) -> float:
        before, later = (row(panel)[after].mean() for panel in panels)
        return float(later - before)

    cohort = change([each.panel for each in made.values()])
    stock = change([each.context.variants["stock"] for each in made.values()])
    rise = truth["null_with_composition"] - truth["null"]
    assert cohort == pytest.approx(0.0, abs=1e-9), (
        "the same persons with the same hours; sums differ in the last digits"
    )
    assert rise > 1.0
    # imputed hours and wrong categories move the mean of some thirty persons by a few per cent
    assert stock == pytest.approx(rise, rel=0.2)
