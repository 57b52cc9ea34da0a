"""A whole spec of registers: the same answer from the files and from the cache, and what is said before anything is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.errors import DataError
from evaluation.register import flow
from evaluation.result import to_json
from evaluation.run import evaluate, load_spec
from evaluation.simulate import simulate

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("registers")
    simulate(made / "registers" / "hjorring", scenario="effect", persons=6_000, seed=3)
    return made


@pytest.fixture
def spec(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example spec on a small register, with a cache of its own."""
    monkeypatch.setenv("NETTOEFFEKT_CACHE", str(tmp_path / "cache"))
    text = (ROOT / "specs" / "hjorring.toml").read_text(encoding="utf-8")
    head, _, rest = text.partition("[simulate]")
    small = (head + "[register]" + rest.partition("[register]")[2]).replace(
        "[register]", "[register]\nsynthetic = true", 1
    )
    small = small.replace('method = "entropy"', 'method = "none"')
    head, _, rest = small.partition("[[secondary]]")
    small = head + "[[claim]]" + rest.partition("[[claim]]")[2]
    path = folder / "small.toml"
    path.write_text(small, encoding="utf-8")
    return path


def changed(path: Path, old: str, new: str) -> Path:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_the_cache_gives_the_same_answer_to_the_last_byte(spec: Path) -> None:
    # two quick estimators will do: what comes after the cells knows nothing of where they were read
    head, _, quick, slow = spec.read_text(encoding="utf-8").split("[[estimator]]")
    spec.write_text(f"{head}[[estimator]]{quick}[[claim]]{slow.partition('[[claim]]')[2]}", encoding="utf-8")
    changed(spec, 'method = "synthetic_did"', 'method = "did"')
    changed(spec, "[[claim]]", '[[secondary]]\nlabel = "women"\nwhere = "sex == \'woman\'"\n\n[[claim]]')
    said: list[str] = []
    first = to_json(evaluate(spec))
    second = to_json(evaluate(spec, progress=lambda stage, text: said.append(text)))
    assert second == first
    assert any("unchanged since they were last read" in text for text in said)


def test_a_changed_question_or_file_is_read_again(spec: Path) -> None:
    flow.prepare(load_spec(spec), lambda stage, text: None)
    said: list[str] = []
    changed(spec, "age = [18, 64]", "age = [30, 64]")
    flow.prepare(load_spec(spec), lambda stage, text: said.append(text))
    assert not any("unchanged" in text for text in said)


def test_shares_are_in_per_cent(spec: Path) -> None:
    changed(spec, 'measure = "annual_hours"', 'measure = "any_hours"')
    changed(spec, 'also = ["any_hours", "hours_if_any"]', 'also = ["annual_hours"]')
    made = flow.prepare(load_spec(spec), lambda stage, text: None)
    panel = made.prepared.panel
    row = panel.units.index("Hjørring")
    share = made.population.margins["any_hours"]["treated"]
    assert panel.outcome[row] == pytest.approx([100.0 * value for value in share if value is not None])
    assert panel.noise is not None
    p = panel.outcome[row] / 100.0
    assert panel.size is not None
    # sampling variance of a share, in per cent squared
    assert panel.noise[row] == pytest.approx(1e4 * p * (1 - p) / (panel.size[row] - 1))


def test_the_panel_knows_persons_and_their_variance(spec: Path) -> None:
    made = flow.prepare(load_spec(spec), lambda stage, text: None)
    panel, population = made.prepared.panel, made.population
    assert panel.size is not None
    assert panel.size[panel.units.index("Hjørring")].max() <= population.treated
    assert {exclusion.unit for exclusion in made.prepared.exclusions} == {
        "Aabenraa",
        "Silkeborg",
        "Ballerup",
        "Vordingborg",
    }
    assert [step.step for step in made.prepared.flow][:4] == ["benefit", "resident", "age", "readiness"]
    assert population.synthetic


def test_names_that_are_no_municipality_are_told_before_reading(spec: Path) -> None:
    changed(spec, 'units = ["Hjørring"]', 'units = ["Hjøring"]')
    changed(spec, '"Ballerup", "Vordingborg"]', '"Balerup", "Nordjylland"]')
    changed(spec, "Ballerup = {", "Balerup = {")
    changed(spec, "Vordingborg = {", "Nordjylland = {")
    loaded = load_spec(spec)
    missing = replace(loaded, path=loaded.path.parent / "elsewhere" / "small.toml")  # no files there: nothing is read
    with pytest.raises(DataError) as told:
        flow.prepare(missing, lambda stage, text: None)
    said = [str(problem) for problem in told.value.problems]
    assert len(said) == 3
    assert "did you mean 'Hjørring'?" in said[0]
    assert "did you mean 'Ballerup'?" in said[1]


def test_check_reads_what_files_say_of_themselves(spec: Path) -> None:
    lines = flow.check(load_spec(spec))
    assert lines == [("Registers", "29 files in the layout 'statistics-denmark', read by duckdb")]


def test_check_tells_the_weeks_that_the_benefit_register_lacks(spec: Path) -> None:
    """They are known from its columns: a run would stop for them after the registers were read."""
    changed(spec, 'baseline = "2014-12"', 'baseline = "2008-12"')  # years on benefit go back further than the register
    with pytest.raises(DataError, match="the benefit register lacks") as told:
        flow.check(load_spec(spec))
    assert all("small.toml" in str(problem) for problem in told.value.problems)
    assert 'leave "benefit_years" out of [register.balance] covariates' in str(told.value.problems[-1])
    with pytest.raises(DataError, match="the benefit register lacks"):
        flow.prepare(load_spec(spec), lambda stage, text: None)
