"""Reading a spec: what is accepted, what is refused, and that no mistake can come through as a traceback or in pydantic's words."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from evaluation.errors import EvaluationError, SpecError, UsageError
from evaluation.spec.catalogue import PLANNED, Catalogue
from evaluation.spec.loaded import LoadedSpec
from evaluation.spec.options import named_choice, validated_options
from evaluation.spec.reader import judged, read_spec


@dataclass(frozen=True)
class Predictor:
    column: Annotated[str, Field(description="a covariate")]
    periods: Annotated[tuple[int | str, int | str] | None, Field(description="[first, last]")] = None


@dataclass(frozen=True)
class Options:
    bandwidth: Annotated[float, Field(description="how wide", gt=0)] = 1.0
    steps: Annotated[int, Field(description="how many")] = 3
    demeaned: Annotated[bool, Field(description="without levels")] = False
    predictors: Annotated[tuple[Predictor, ...], Field(description="what to match")] = ()
    v: Annotated[Literal["nested", "equal"] | tuple[float, ...], Field(description="weights")] = "nested"

    def __post_init__(self) -> None:
        if self.demeaned and self.predictors:
            raise ValueError("`demeaned` goes without predictors")


@dataclass(frozen=True)
class NoOptions:
    pass


@dataclass(frozen=True)
class Entry:
    name: str
    options: type = NoOptions
    summary: str = "a method"
    source: str = ""


CATALOGUE = Catalogue(
    estimators={"did": Entry("did"), "synthetic_control": Entry("synthetic_control", Options)},
    inferences={"placebo": Entry("placebo")},
    adjustments={"none": Entry("none")},
    checks={"leave_one_out": Entry("leave_one_out")},
)

GOOD = """question = "Did it work?"
[data]
path = "kommuner.csv"
unit = "kommune"
time = "år"
outcome = "beskæftigelse"
covariates = ["alder"]
where = { "køn" = "alle" }
[treatment]
units = ["Hjorring"]
start = 2015
window = [2015, 2018]
[controls]
exclude = ["Aabenraa", "Silkeborg"]
[headline]
method = "did"
"""

Read = Callable[[str], LoadedSpec]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()

    def reader(text: str | bytes) -> LoadedSpec:
        Path("specs/x.toml").write_bytes(text.encode() if isinstance(text, str) else text)
        return read_spec("specs/x.toml", CATALOGUE)

    return reader


def refused(read: Read, text: str | bytes) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read(text)  # type: ignore[arg-type]
    return [f"{problem.where}: {problem.what}" if problem.where else problem.what for problem in caught.value.problems]


def test_a_good_spec_is_read_with_its_file(read: Read) -> None:
    loaded = read(GOOD)
    assert loaded.spec.data.outcome == "beskæftigelse"
    assert loaded.name == "x"
    assert loaded.folder == Path("specs")
    assert loaded.text == GOOD
    assert loaded.spec.treatment.window == (2015, 2018)


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[2].glob("specs/*.toml")), ids=lambda path: path.name)
def test_the_specs_that_come_with_it_are_good(path: Path) -> None:
    study = pytest.importorskip("evaluation.run")
    read_spec(path, study.catalogue())


def test_windows_line_ends_and_a_byte_order_mark_are_accepted(read: Read) -> None:
    assert read(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()).spec == read(GOOD).spec


def test_problems_come_in_the_order_of_the_file(read: Read) -> None:
    text = "x = 1\n" + GOOD.replace('"did"', '"dod"').replace("2015\n", "true\n").replace("path", "pat")
    lines = [int(problem.split(":")[1]) for problem in refused(read, text)]
    assert lines == sorted(lines)
    assert len(lines) == 4


def test_a_missing_key_and_its_misspelling_are_one_problem(read: Read) -> None:
    assert refused(read, GOOD.replace("time =", "tiem =")) == [
        "specs/x.toml:5:1: unknown key 'tiem'; did you mean 'time' (the column that names the period)?"
    ]


def test_a_misspelling_of_a_key_that_is_there_is_not_called_missing(read: Read) -> None:
    (problem,) = refused(read, GOOD.replace("time =", 'tiem = "x"\ntime ='))
    assert "did you mean" not in problem


def test_planned_names_are_refused_as_not_available_yet() -> None:
    coming = Catalogue({}, {}, {}, {}, planned={"inference": ("ranks_of_ranks",)})
    refusal = "inference 'ranks_of_ranks' is not available yet; `evaluate --methods` lists what is"
    assert coming.fault("inference", "ranks_of_ranks") == refusal
    misspelt = coming.fault("inference", "rank_of_ranks")
    assert misspelt is not None
    assert "'ranks_of_ranks' is not available yet" in misspelt
    assert not any(PLANNED.values())  # nothing is, at the moment


def test_a_planned_name_that_was_built_is_a_name_like_any_other() -> None:
    built = Catalogue({"dr_did": Entry("dr_did")}, {}, {}, {})
    assert built.fault("estimator", "dr_did") is None


def test_numbers_and_booleans_are_strict_and_lists_are_tuples(read: Read) -> None:
    table = '[[estimator]]\nname = "synthetic_control"\n'
    for wrong in ('bandwidth = "2"', "steps = 2.5", "demeaned = 1", "v = [1, true]", "bandwidth = 0", 'v = "equl"'):
        assert len(refused(read, GOOD + table + wrong + "\n")) == 1, wrong
    for right in ("bandwidth = 2", "v = [1, 2.5]", 'predictors = [{ column = "alder", periods = [1, 2] }]'):
        read(GOOD + table + right + "\n")


def test_what_an_options_class_refuses_itself_is_said_in_its_words(read: Read) -> None:
    table = '[[estimator]]\nname = "synthetic_control"\ndemeaned = true\npredictors = [{ column = "alder" }]\n'
    assert refused(read, GOOD + table) == ["specs/x.toml:17:1: `demeaned` goes without predictors"]


def test_two_estimators_of_one_name_may_differ_in_their_options(read: Read) -> None:
    table = '[[estimator]]\nname = "synthetic_control"\n'
    read(GOOD + table + table + "demeaned = true\n")


def test_files_that_are_no_specs(read: Read, tmp_path: Path) -> None:
    read(GOOD)
    cases = {
        "specs/y.toml": "specs/y.toml: there is no such file; did you mean 'specs/x.toml'?",
        "specs/x": "specs/x: there is no such file; did you mean 'specs/x.toml'?",
        "specks/x.toml": "specks/x.toml: there is no such file, and no folder 'specks'",
        "specs": "specs: this is a folder, not a spec; did you mean 'specs/x.toml'?",
    }
    for path, expected in cases.items():
        with pytest.raises(UsageError) as caught:
            read_spec(path, CATALOGUE)
        assert str(caught.value) == expected


def test_options_from_python() -> None:
    method = named_choice("estimator", "synthetic_control", CATALOGUE.estimators)
    options = validated_options(method, {"v": (1, 2), "predictors": [Predictor("alder", (1, 2))]})
    assert options == Options(v=(1.0, 2.0), predictors=(Predictor("alder", (1, 2)),))
    with pytest.raises(UsageError) as caught:
        validated_options(method, {"bandwith": 2, "steps": "3", "predictors": [{"colum": "x"}]})
    assert [problem.what for problem in caught.value.problems] == [
        "synthetic_control: no option 'bandwith'; did you mean 'bandwidth' (how wide)?",
        "synthetic_control: predictors[0]: unknown key 'colum'; did you mean 'column' (a covariate)?",
        'synthetic_control: steps: expected a whole number, found the text "3"; remove the quotation marks',
    ]
    with pytest.raises(UsageError, match="did you mean 'synthetic_control'"):
        named_choice("estimator", "scm", CATALOGUE.estimators)


# ---- whatever is written, it is answered in our words

_KEYS = st.sampled_from(
    """question title languages seed data treatment controls cycle headline estimator inference event target_group
    path unit time outcome covariates where periods units start start_column window only exclude reasons exclude_reason
    adjust method name level period label x da en demeaned predictors column v steps effect register""".split()  # noqa: SIM905
)
_VALUES = st.recursive(
    st.one_of(
        st.sampled_from(["did", "synthetic_control", "placebo", "da", "2015", "2015Q1", "", "x"]),
        st.integers(-5, 3000),
        st.floats(allow_nan=False),
        st.booleans(),
        st.dates(),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=15,
)


def _broken(draw: st.DrawFn) -> dict[str, Any]:
    raw: dict[str, Any] = tomllib.loads(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        table = raw
        for _ in range(draw(st.integers(0, 2))):
            inner = [value for value in table.values() if isinstance(value, dict)]
            if inner:
                table = draw(st.sampled_from(inner))
        key = draw(_KEYS | st.sampled_from(sorted(table)) if table else _KEYS)
        if draw(st.booleans()):
            table[key] = draw(_VALUES)
        else:
            table.pop(key, None)
    return raw


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.composite(_broken)())
def test_any_mistake_is_a_finding(raw: dict[str, Any]) -> None:
    try:
        spec, findings = judged(raw, CATALOGUE)
    except EvaluationError:
        pytest.fail("the reader finds; it does not raise halfway")
    assert spec is not None or findings, "what is refused is refused with a reason"
    for finding in findings:
        assert "Input should" not in finding.what
        assert "validation" not in finding.what
        assert "!" not in finding.what
