"""Broken registers each give clear messages with counts: what, where, how often, what to do; never a person's row or key."""

from __future__ import annotations

import datetime
import re
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest

from evaluation.errors import DataError
from evaluation.register.layout import read_layout
from evaluation.register.sources import input_hashes
from tests.register import small

KEYS = small.PERSON_KEYS


def one(folder: Path, **changed) -> str:
    """The only message these files are refused with; it may hold no key and no folder."""
    messages = small.refused(folder, **changed)
    assert len(messages) == 1, messages
    assert not re.search(r"S\d{7}", messages[0])
    assert str(folder) not in messages[0]
    return messages[0].removeprefix("spec.toml [register] ")


def test_no_file_and_no_pattern(tmp_path):
    small.write(tmp_path)
    assert one(tmp_path, benefits="draem.parquet") == "benefits: there is no such file; did you mean 'dream.parquet'?"
    assert one(tmp_path, hours="hours/bfl*.parquet") == "hours: no file fits this pattern, and no folder 'hours'"
    found = one(tmp_path, population="bev*.parquet")
    assert found.startswith("population: no file fits this pattern; the folder holds bef2012.parquet, bef2013.parquet")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.parquet").touch()
    assert one(tmp_path, hours="sub") == 'hours: this is a folder, not a file; write "sub/*.parquet"'
    (tmp_path / "x.docx").touch()
    assert "1 of 1 files are of no known kind (x.docx)" in one(tmp_path, hours="x.docx")


def test_a_missing_column_is_told_with_the_nearest(tmp_path):
    table = small.population(2014)
    small.write(tmp_path, bef2014=table.rename_columns(["PNR", "KOMM", "FOED_DAG", "KOEN", "IE_TYPE", "OPR_LAND"]))
    assert (
        one(tmp_path)
        == "population: bef2014.parquet: no column 'KOM'; did you mean 'KOMM'? (the layout may name another)"
    )


def test_a_column_that_all_files_lack_is_told_once(tmp_path):
    lacking = {f"bfl{year}": small.hours(year).drop_columns(["AJO_LOENTIMER"]) for year in small.YEARS}
    small.write(tmp_path, **lacking)
    assert one(tmp_path).startswith("hours: all 5 files: no column 'AJO_LOENTIMER'; ")


def test_what_the_spec_does_not_use_may_be_missing(tmp_path):
    lacking = {f"bef{year}": small.population(year).drop_columns(["IE_TYPE", "OPR_LAND"]) for year in small.YEARS}
    small.write(tmp_path, **lacking)
    assert "no column 'IE_TYPE'" in one(tmp_path)
    with ExitStack() as stack:
        sources = small.opened(tmp_path, stack, balance={"covariates": ("age", "sex")})
        assert {row["origin"] for row in small.rows(sources, sources.population)} == {None}


def test_a_column_of_a_wrong_type(tmp_path):
    days = [datetime.date(2014, 1, 1)] * 120
    small.write(tmp_path, bfl2014=small.hours(2014, AJO_LOENTIMER=days))
    assert one(tmp_path) == "hours: bfl2014.parquet: column 'AJO_LOENTIMER' holds dates; expected a number"
    small.write(tmp_path, bfl2014=small.hours(2014, PNR=[True] * 120))
    assert (
        one(tmp_path) == "hours: bfl2014.parquet: column 'PNR' holds true and false; expected a text or a whole number"
    )


def test_text_where_numbers_belong_is_counted_and_never_shown(tmp_path):
    amounts = ["1,5"] * 60 + ["S0000001"] * 60
    small.write(tmp_path, bfl2014=small.hours(2014, AJO_LOENTIMER=amounts))
    assert one(tmp_path) == (
        "hours: 60 of 600 rows (10.0 %) hold a text in 'AJO_LOENTIMER' that is no number; the layout allows 1 %"
    )


def test_a_person_in_two_municipalities_in_one_year(tmp_path):
    twice = pa.concat_tables(
        [
            small.population(2014),
            small.population(2014).slice(1, 2),
            small.population(2014, KOM=["147"] * 20).slice(4, 1),
        ]
    )
    small.write(tmp_path, bef2014=twice)
    assert one(tmp_path) == (
        "population: 3 persons stand twice or more in one year (2014), 1 of them in two municipalities at once; "
        "the population needs one row per person and year, as of 31 December"
    )


def test_a_person_twice_in_the_benefit_register(tmp_path):
    small.write(tmp_path, dream=pa.concat_tables([small.benefits(), small.benefits().slice(3, 2)]))
    assert one(tmp_path) == (
        "benefits: 2 of 22 rows are a person's second or later one; the benefit register has one row per person, "
        "so give one extract only"
    )


def test_a_few_hours_of_9999_are_counted_as_no_hours(tmp_path):
    amounts = [9999.0, -9999.0] + [1.0] * 118
    with ExitStack() as stack:
        sources = small.opened(small.write(tmp_path, bfl2014=small.hours(2014, AJO_LOENTIMER=amounts)), stack)
        assert sources.counters["hours_rows_implausible"] == 2
        assert max(row["hours_100"] for row in small.rows(sources, sources.hours)) < 999900


def test_many_hours_of_9999_are_an_error(tmp_path):
    small.write(tmp_path, bfl2014=small.hours(2014, AJO_LOENTIMER=[9999.0] * 120))
    assert one(tmp_path) == (
        "hours: 120 of 600 rows (20.0 %) hold more than 9,998 hours in 'AJO_LOENTIMER', up or down; the layout allows 1 %"
    )


def test_empty_and_truncated_files_and_files_without_rows_are_told_together(tmp_path):
    small.write(tmp_path)
    (tmp_path / "bef2013.parquet").write_bytes(b"")
    whole = (tmp_path / "bfl2014.parquet").read_bytes()
    (tmp_path / "bfl2014.parquet").write_bytes(whole[: len(whole) // 2])
    pq.write_table(small.benefits().slice(0, 0), tmp_path / "dream.parquet")
    with pytest.raises(DataError) as error:
        input_hashes(small.register(), tmp_path, small.place)
    assert [str(each) for each in error.value.problems] == [
        "spec.toml [register] population: bef2013.parquet: the file is empty (0 bytes)"
    ]
    pq.write_table(small.population(2013).slice(0, 0), tmp_path / "bef2013.parquet")
    assert small.refused(tmp_path) == [
        "spec.toml [register] population: bef2013.parquet: the file has columns but no rows",
        "spec.toml [register] benefits: dream.parquet: the file has columns but no rows",
        "spec.toml [register] hours: bfl2014.parquet: this is not a whole Parquet file: it is cut off or damaged, "
        "or still being written; copy it again",
    ]


def test_weeks_that_do_not_exist(tmp_path):
    small.write(tmp_path, dream=small.benefits(Y_1453=[730] * 20, Y_1600=[730] * 20))
    assert one(tmp_path) == (
        "benefits: dream.parquet: 2 columns for weeks that do not exist (Y_1453 and Y_1600); 2014 has 52 weeks"
    )


def test_weeks_that_are_missing(tmp_path):
    small.write(tmp_path, dream=small.benefits().drop_columns(["Y_1553", "Y_1402"]))
    assert one(tmp_path) == "benefits: dream.parquet: 2 weeks of 2012 to 2016 have no column (Y_1402 and Y_1553)"
    small.write(tmp_path)
    assert one(tmp_path, periods=(2030, 2031)) == (
        "benefits: dream.parquet: no week of 2030 to 2031 is in it; it holds Y_1201 to Y_1652"
    )


def test_codes_that_the_layout_does_not_know_are_counted_then_refused(tmp_path):
    few = [None] * 19 + [555]
    with ExitStack() as stack:
        sources = small.opened(small.write(tmp_path, dream=small.benefits(Y_1402=few)), stack)
        assert sources.counters["benefit_weeks_unknown_code"] == 1
    small.write(tmp_path, dream=small.benefits(**{f"Y_14{week:02d}": [555, 556] * 10 for week in range(10, 20)}))
    found = one(tmp_path)
    assert re.match(r"benefits: 200 of 3,\d{3} weekly codes \(5\.\d %\) are not in the layout \(555 and 556\)", found)


def test_text_in_a_week_is_an_unknown_code_and_a_zero_is_no_benefit(tmp_path):
    weeks = {
        f"Y_14{week:02d}": ["730", "S0000001", "0", "", None, " 730 ", "730.0", "730", "730", "0"] * 2
        for week in range(1, 53)
    }
    small.write(tmp_path, dream=small.benefits(**weeks))
    packaged = small.LAYOUT.read_text(encoding="utf-8")
    (tmp_path / "own.toml").write_text(packaged.replace("# none = [0]", "none = [0]"), encoding="utf-8")
    own = read_layout("own.toml", tmp_path)
    found = one(tmp_path, layout=own)
    assert re.match(
        r"benefits: 104 of 3,\d{3} weekly codes \(3\.\d %\) are not in the layout \(text that is no code\)", found
    )
    weeks = {name: [None if cell == "S0000001" else cell for cell in cells] for name, cells in weeks.items()}
    small.write(tmp_path, dream=small.benefits(**weeks))
    with ExitStack() as stack:
        sources = small.opened(tmp_path, stack, layout=own)
        table = small.rows(sources, sources.benefits([(2014, 52)], []), "person")
        assert [row["week_2014_52"] for row in table[:10]] == [730, None, None, None, None, 730, 730, 730, 730, None]


def test_kinds_of_hours_that_the_layout_does_not_know(tmp_path):
    small.write(tmp_path, bfl2014=small.hours(2014, AJO_INDKOMST_ART_KODE=[1, 7, 8, None] * 30))
    assert one(tmp_path) == (
        "hours: 90 of 600 rows (15.0 %) hold a code in 'AJO_INDKOMST_ART_KODE' that the layout does not know (7 and 8); "
        "the layout allows 1 %"
    )


def test_municipalities_from_before_2007(tmp_path):
    small.write(tmp_path, bef2012=small.population(2012, KOM=["821", "839"] * 10))
    assert one(tmp_path) == (
        "population: 20 of 100 rows (20.0 %) hold a code in 'KOM' that is none of the 98 municipalities since 2007 "
        "(821 and 839); the layout allows 1 %"
    )


def test_years_without_population_or_hours(tmp_path):
    small.write(tmp_path, bef2013=None, bfl2012=None, bfl2015=None)
    (tmp_path / "bef2013.parquet").unlink(missing_ok=True)
    assert small.refused(tmp_path) == [
        "spec.toml [register] population: no population for 2013: it holds 2012 and 2014-2016; every year of the outcome "
        "is needed, and the baseline",
        "spec.toml [register] hours: no row of hours in 2012 and 2015: it holds 2013-2014 and 2016; without rows everybody's "
        "hours would be 0",
    ]


def test_a_file_name_without_a_year(tmp_path):
    small.write(tmp_path)
    (tmp_path / "bef2013.parquet").rename(tmp_path / "befolkning.parquet")
    assert one(tmp_path) == (
        "population: the year is not in the name of 1 of 5 files (befolkning.parquet); the layout looks for "
        'file_year = "*{yyyy}*"; rename the files or change the layout'
    )


def test_keys_that_do_not_meet(tmp_path):
    small.write(tmp_path, dream=small.benefits(PNR=[f"X{number}" for number in range(20)]))
    assert one(tmp_path) == (
        "population: none of 13 persons on 'kontanthjælp' is in the population: the keys in 'PNR' and 'PNR' do not meet; "
        "take both files from the same extract, with the same pseudonyms"
    )


def test_nobody_on_the_benefit(tmp_path):
    small.write(tmp_path)
    assert one(tmp_path, who={"baseline": "2014-12", "benefit": "fleksjob"}).startswith(
        "benefits: nobody received 'fleksjob' in the 4 weeks up to the baseline 2014-12"
    )


def test_a_benefit_and_a_category_that_the_layout_does_not_know(tmp_path):
    small.write(tmp_path)
    who = {"baseline": "2014-12", "benefit": "kontanthjaelp", "readiness": "aktivitetparat"}
    assert small.refused(tmp_path, who=who) == [
        "spec.toml [register] who.benefit: the layout knows no benefit 'kontanthjaelp'; did you mean 'kontanthjælp'?",
        "spec.toml [register] who.readiness: the layout knows no referral category 'aktivitetparat'; "
        "did you mean 'aktivitetsparat'?",
    ]


def test_several_mistakes_are_told_at_once(tmp_path):
    small.write(
        tmp_path,
        bef2014=small.population(2014).drop_columns(["KOEN"]),
        dream=small.benefits(Y_1453=[730] * 20).drop_columns(["PNR"]),
        bfl2014=small.hours(2014).drop_columns(["AJO_LOENTIMER"]),
    )
    assert len(small.refused(tmp_path)) == 3


def test_files_of_other_programs_that_are_damaged(tmp_path):
    small.write(tmp_path)
    pyreadstat.write_dta(small.hours(2014).to_pandas(), str(tmp_path / "bfl2014.dta"))
    whole = (tmp_path / "bfl2014.dta").read_bytes()
    (tmp_path / "bfl2014.dta").write_bytes(whole[: len(whole) // 2])
    assert one(tmp_path, hours="bfl2014.dta") == (
        "hours: bfl2014.dta: is not a Stata file, or it is cut off or damaged"
    )
    (tmp_path / "bfl2014.csv").write_text("PNR;AJO_LOENTIMER\nS0000001;1\nS0000002\n")
    assert one(tmp_path, hours="bfl2014.csv") == (
        "hours: bfl2014.csv: is not a table separated by semicolons, or it is cut off: some line does not have 2 columns"
    )
    assert not list((tmp_path / "cache").glob("*.part"))


def test_columns_that_differ_in_capitals_only(tmp_path):
    table = small.population(2014).append_column("kom", pa.array(["101"] * 20))
    small.write(tmp_path, bef2014=table)
    assert "1 column differs in capitals only (kom)" in one(tmp_path)


def test_persons_without_a_key_are_counted(tmp_path):
    keys = [*KEYS[:19], None]
    small.write(tmp_path, bef2014=small.population(2014, PNR=[None, *keys[1:]]))
    assert one(tmp_path) == "population: 2 of 100 rows (2.0 %) hold no person's key in 'PNR'; the layout allows 1 %"
