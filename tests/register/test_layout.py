"""The layout is data: what comes with the package is sound, and every mistake in one's own is told at its line, all at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evaluation.errors import SpecError
from evaluation.register.layout import Pattern, known_layouts, read_layout
from evaluation.register.layout_reader import canonical_code
from evaluation.register.weeks import exists, last_weeks, weeks_in, weeks_of

PACKAGED = Path(read_layout.__code__.co_filename).parent / "layouts" / "statistics-denmark.toml"


def own(folder: Path, *changes: tuple[str, str]) -> Path:
    """The packaged layout with some of its text replaced."""
    text = PACKAGED.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    (folder / "own.toml").write_text(text, encoding="utf-8")
    return folder


def problems(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """What is wrong with the changed layout, without the quoted lines."""
    with pytest.raises(SpecError) as error:
        read_layout("own.toml", own(folder, *changes))
    return [f"{each.where.split(':')[0]}: {each.what}" for each in error.value.problems]


def test_the_packaged_layout_knows_the_groups_and_categories_of_the_case():
    layout = read_layout("statistics-denmark", Path())
    assert known_layouts() == ("statistics-denmark",)
    assert {730, 738, 130, 139} <= layout.benefits_by_name["kontanthjælp"]
    assert layout.states["dead"] == {999}
    assert layout.states["emigrated"] == {997}
    assert layout.states["fleksjob"] == {771, 772, 773, 774}
    assert not layout.states["education"] & layout.states["support"]
    assert "2" in layout.readiness["aktivitetsparat"]
    assert layout.bridge["aktivitetsparat"] == {"2", "3"}
    assert (layout.limits.month_hours, layout.limits.year_hours, layout.limits.row_hours) == (250, 2080, 9998)


def test_every_benefit_code_of_the_packaged_layout_is_marked_as_assumed():
    """No code was checked against a code guide, so none may look as if it had been."""
    layout = read_layout("statistics-denmark", Path())
    assert len(layout.assumed) == len(layout.benefits_by_name)
    assert "kontanthjælp: 130-139, 730-738" in layout.assumed


def test_a_layout_may_be_a_file_of_ones_own(tmp_path):
    own(tmp_path, ('person = "PNR"', 'person = "LBNR"'))
    layout = read_layout("own.toml", tmp_path)
    assert layout.population.person == "LBNR"
    assert layout.sha256 != read_layout("statistics-denmark", tmp_path).sha256
    (tmp_path / "sub").mkdir()
    (tmp_path / "own.toml").rename(tmp_path / "sub" / "own.toml")
    assert read_layout("sub/own.toml", tmp_path).sha256 == layout.sha256


def test_a_layout_that_is_not_there(tmp_path):
    with pytest.raises(SpecError, match="there is no layout 'statistic-denmark'; did you mean 'statistics-denmark'"):
        read_layout("statistic-denmark", tmp_path)
    with pytest.raises(
        SpecError, match=r"there is no file 'mine\.toml'; there is statistics-denmark, or name"
    ) as error:
        read_layout("secret/mine.toml", tmp_path)
    assert "secret" not in str(error.value)


def test_every_mistake_is_told_at_once_and_in_the_order_of_the_file(tmp_path):
    found = problems(
        tmp_path,
        ('municipality = "KOM"', 'munipality = "KOM"'),
        ('sexes = { man = ["1", "M"], woman = ["2", "K"] }', 'sexes = { man = ["1"], women = ["2"] }'),
        ('week = "Y_{yy}{ww}"', 'week = "Y_{yy}{mm}"'),
        ('codes = ["140-149"]', 'codes = ["139-149"]'),
        ('states = ["education"]', 'states = ["educaton"]'),
        ("month_hours = 250", "month_hours = -3"),
        ("unknown_share = 0.01", "unknown_share = 1.5"),
        ("year_hours = 2080", 'year_hours = "many"'),
    )
    assert found == [
        "own.toml: unknown key 'munipality' in [population]; did you mean 'municipality'?",
        "own.toml: unknown key 'women' in [population.sexes]; did you mean 'woman'?",
        "own.toml: {mm} has no meaning here; this pattern may hold {yyyy}, {yy} and {ww}",
        "own.toml: code 139 belongs to 'kontanthjælp' already; a code can mean one benefit only",
        "own.toml: 'educaton' is not known here; did you mean 'education'?",
        "own.toml: expected a whole number above 0, found the number -3",
        'own.toml: expected a whole number above 0, found the text "many"',
        "own.toml: expected a share from 0 to 1, found the number 1.5",
    ]


def test_each_mistake_has_its_line_and_quotes_it(tmp_path):
    with pytest.raises(SpecError) as error:
        read_layout("own.toml", own(tmp_path, ("row_hours = 9998", "row_hours = 0")))
    (problem,) = error.value.problems
    line = 1 + (tmp_path / "own.toml").read_text(encoding="utf-8").split("row_hours = 0")[0].count("\n")
    assert problem.where == f"own.toml:{line}:13"
    assert problem.quote.endswith("row_hours = 0")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (('person = "PNR"', 'person = ""'), "expected a text, found an empty text"),
        (('person = "PNR"', "person = 3"), "expected a text, found the number 3"),
        (('date = "AJO_JOB_START_DATO"', 'year = "AAR"'), "'date' is needed, or 'year' and 'month'"),
        (('reported_values = ["1"]', ""), "'reported_values' is needed beside 'reported': the codes that mean reported hours"),
        (('file_year = "*{yyyy}*"', ""), "one of 'year' (a column) and 'file_year' (a pattern such as \"*{yyyy}*\") is needed"),
        (('codes = ["611", "621"]', 'codes = ["621-611"]'), 'the range "621-611" ends before it begins'),
        (('codes = ["611", "621"]', 'codes = ["1-999999"]'), 'the range "1-999999" is too wide'),
        (('codes = ["611", "621"]', "codes = [6.11]"), 'expected codes such as 130 or "130-139", found the number 6.11'),
        (('bridge]\njobparat = ["1"]', 'bridge]\njobparat = ["2"]'), "code \"2\" stands under 'jobparat' as well; a code can mean one thing only"),
        (('higher = ["40-80"', 'higher = ["39-80"'), "code 39 is in 'vocational' as well; a code can mean one level only"),
        (('states = ["education"]\nassumed = true', 'states = ["education"]\nassumed = "yes"'), 'expected true or false, found the text "yes"'),
        (('week = "Y_{yy}{ww}"', ""), "'week' is missing in [benefits]"),
        (('week = "Y_{yy}{ww}"', 'week = "Y_{ww}"'), "this pattern needs {yyyy} or {yy} in it, once"),
    ],
)  # fmt: skip
def test_what_each_mistake_is_told_as(tmp_path, change, what):
    assert f"own.toml: {what}" in problems(tmp_path, change)


def test_a_text_that_is_no_toml_is_told_with_its_line(tmp_path):
    (tmp_path / "own.toml").write_text('name = "x\n')
    with pytest.raises(SpecError, match=r"own\.toml:1:8: the text that begins here is not closed"):
        read_layout("own.toml", tmp_path)
    (tmp_path / "own.toml").write_bytes('name = "blåbær"'.encode("cp1252"))
    with pytest.raises(SpecError, match="not in UTF-8"):
        read_layout("own.toml", tmp_path)
    (tmp_path / "own.toml").write_text("")
    with pytest.raises(SpecError, match=r"the table \[population\] is missing"):
        read_layout("own.toml", tmp_path)


@pytest.mark.parametrize(
    ("code", "text"), [(1, "1"), ("081", "81"), ("1.0", "1"), (" 7 ", "7"), ("A", "A"), ("0", "0"), ("1.5", "1.5")]
)
def test_codes_are_compared_without_zeros_spaces_and_decimals(code, text):
    assert canonical_code(code) == text


def test_patterns_name_columns_and_read_them_back():
    week, visit, file = Pattern("Y_{yy}{ww}"), Pattern("VISIT_{q}KV{yyyy}"), Pattern("*{yyyy}12*")
    assert week.name(2014, 5) == "Y_1405"
    assert week.match("y_1405") == (2014, 5)
    assert week.match("Y_9132") == (1991, 32)
    assert week.match("Y_9032") == (2090, 32)
    assert week.match("Y_140") is None
    assert week.match("XY_1405") is None
    assert visit.name(2014, 4) == "VISIT_4KV2014"
    assert visit.match("VISIT_4KV2014") == (2014, 4)
    assert visit.match("VISIT_5KV2014") is None
    assert file.match("bef201412") == (2014, 0)
    assert file.match("bef2014") is None
    assert Pattern("a.b{yyyy}").match("axb2014") is None, "a point is a point"


def test_weeks_follow_the_iso_calendar():
    assert [year for year in range(2007, 2021) if weeks_in(year) == 53] == [2009, 2015, 2020]
    assert exists(2015, 53)
    assert not exists(2014, 53)
    assert not exists(2014, 0)
    assert len(weeks_of(2015)) == 53
    assert last_weeks(2014, 12, 4) == ((2014, 49), (2014, 50), (2014, 51), (2014, 52))
    assert last_weeks(2015, 12, 2) == ((2015, 52), (2015, 53)), "31 December 2015 is a Thursday"
    assert last_weeks(2014, 1, 6)[0] == (2013, 52)


def test_no_word_of_the_layout_is_a_constant_of_the_code():
    """Columns and codes belong in the layout; the code may not know them."""
    folder = PACKAGED.parent.parent
    names = re.compile(r"\b(AJO_|FOED_DAG|KOEN|IE_TYPE|HFAUDD|VISIT_|MATCH_|PNR)\b")
    for path in (*folder.glob("*.py"),):
        code = re.sub(r'""".*?"""|#.*', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not names.search(code), path.name
