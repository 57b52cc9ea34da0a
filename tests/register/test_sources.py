"""Register files become the same canonical tables whatever their format, spelling of columns and types of keys."""

from __future__ import annotations

import csv
import datetime
import stat
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest

from evaluation.errors import DataError
from evaluation.register.convert import converted
from evaluation.register.engine import open_engine
from evaluation.register.layout import read_layout
from evaluation.register.sources import baseline_month, input_hashes
from tests.register import small


@pytest.fixture
def stack():
    with ExitStack() as opened:
        yield opened


def test_the_population_holds_one_row_per_person_and_year_in_canonical_words(tmp_path, stack):
    sources = small.opened(small.write(tmp_path), stack)
    found = small.rows(sources, sources.population, "year", "person")
    assert len(found) == small.PERSONS * len(small.YEARS)
    assert found[2] == {
        "person": "S0000002", "year": 2012, "municipality": "787", "birth_year": 1972, "birth_month": 3, "sex": "man",
        "origin": "western",
    }  # fmt: skip
    assert [row["origin"] for row in found[:4]] == ["danish", "danish", "western", "non_western"]


def test_hours_are_whole_hundredths_with_halves_away_from_zero(tmp_path, stack):
    amounts = [1.005, 2.675, 0.125, -0.125, -2.5, 160.33, 9998.0, -9998.0, None, 0.0] + [1.0] * 110
    sources = small.opened(small.write(tmp_path, bfl2014=small.hours(2014, AJO_LOENTIMER=amounts)), stack)
    import narwhals as nw

    found = small.rows(sources, sources.hours.filter((nw.col("year") == 2014) & (nw.col("month") == 1)), "person")
    # 1.005 and 2.675 times 100 are 100.49999999999999 and 267.5 in binary: the hundredths follow what is stored
    assert [row["hours_100"] for row in found] == [100, 268, 13, -13, -250, 16033, 999800, -999800, 0, 0]
    assert [row["reported"] for row in found[:2]] == [True, False]
    assert [row["kind"] for row in found[:4]] == ["ordinary", "fleksjob", "subsidised", "ordinary"]
    assert sources.counters["hours_rows_missing"] == 1


def test_only_the_weeks_and_quarters_asked_for_are_read(tmp_path, stack):
    sources = small.opened(small.write(tmp_path), stack)
    table = sources.benefits([(2014, 49), (2014, 52)], [(2013, 4), (2014, 4)], bridge=True)
    assert table.collect_schema().names() == [
        "person", "week_2014_49", "week_2014_52", "visit_2013_4", "visit_2014_4", "match_2013_4", "match_2014_4",
    ]  # fmt: skip
    first, second = small.rows(sources, table, "person")[:2]
    assert first["week_2014_49"] is None
    assert second["week_2014_49"] == 730
    assert first["visit_2013_4"] is None, "there is no VISIT before 2014"
    assert first["visit_2014_4"] == "aktivitetsparat"
    assert second["visit_2014_4"] == "jobparat"
    assert first["match_2013_4"] == "aktivitetsparat"
    unbridged = small.rows(sources, sources.benefits([], [(2014, 4)], bridge=False))
    assert {row["match_2014_4"] for row in unbridged} == {None}


def test_weeks_and_quarters_that_the_register_lacks_are_named(tmp_path, stack):
    sources = small.opened(small.write(tmp_path), stack)
    with pytest.raises(DataError, match=r"lacks 1 of the weeks asked for \(Y_1801\); it holds Y_1201 to Y_1652"):
        sources.benefits([(2018, 1)], [])
    with pytest.raises(DataError, match="do not exist in the calendar"):
        sources.benefits([(2014, 53)], [])
    with pytest.raises(DataError, match=r"no referral category for 2013 Q4; with .* bridge = true"):
        sources.benefits([], [(2013, 4)], bridge=False)


def test_columns_are_found_whatever_their_case(tmp_path, stack):
    small.write(tmp_path)
    lower = small.population(2014)
    pq.write_table(lower.rename_columns([name.lower() for name in lower.column_names]), tmp_path / "bef2014.parquet")
    dream = small.benefits()
    pq.write_table(dream.rename_columns([name.lower() for name in dream.column_names]), tmp_path / "dream.parquet")
    sources = small.opened(tmp_path, stack)
    assert len(small.rows(sources, sources.population)) == small.PERSONS * len(small.YEARS)
    assert len(small.rows(sources, sources.benefits([(2014, 52)], [(2014, 4)]))) == small.PERSONS


def test_keys_that_are_numbers_in_one_file_and_texts_in_another_meet_as_texts(tmp_path, stack):
    numbers = list(range(1_000_000_001, 1_000_000_001 + small.PERSONS))
    changed = {f"bef{year}": small.population(year, PNR=numbers) for year in small.YEARS}
    changed |= {f"bfl{year}": small.hours(year, PNR=[float(n) for n in numbers[:10]] * 12) for year in small.YEARS}
    small.write(tmp_path, dream=small.benefits(PNR=[str(number) for number in numbers]), **changed)
    sources = small.opened(tmp_path, stack)
    joined = sources.hours.join(sources.population, on=["person", "year"]).join(
        sources.benefits([(2014, 52)], []), on="person"
    )
    found = small.rows(sources, joined.select("person").unique())
    assert [row["person"] for row in found] == [str(number) for number in numbers[:10]]


def test_keys_stay_numbers_where_all_registers_hold_numbers(tmp_path, stack):
    numbers = list(range(1_000_000_001, 1_000_000_001 + small.PERSONS))
    changed = {f"bef{year}": small.population(year, PNR=numbers) for year in small.YEARS}
    changed |= {f"bfl{year}": small.hours(year, PNR=numbers[:10] * 12) for year in small.YEARS}
    small.write(tmp_path, dream=small.benefits(PNR=[float(number) for number in numbers]), **changed)
    sources = small.opened(tmp_path, stack)
    assert not sources.text_keys
    assert small.rows(sources, sources.benefits([(2014, 52)], []), "person")[0]["person"] == numbers[0]


def test_education_is_of_the_newest_year_that_is_not_after_the_baseline(tmp_path, stack):
    small.write(tmp_path)
    for year, code in ((2010, 1000), (2013, 3500), (2016, 5000)):
        table = pa.table({"PNR": small.PERSON_KEYS, "HFAUDD": [code] * (small.PERSONS - 1) + [None]})
        pq.write_table(table, tmp_path / f"udda{year}.parquet")
    sources = small.opened(tmp_path, stack, education="udda*.parquet")
    assert sources.education is not None
    found = small.rows(sources, sources.education, "person")
    assert found[0]["education"] == "vocational"
    assert found[-1]["education"] == "unknown"


def test_every_input_is_listed_with_hash_rows_and_columns_and_no_folder(tmp_path, stack):
    sources = small.opened(small.write(tmp_path), stack)
    assert [each.name for each in sources.inputs[:2]] == ["bef2012.parquet", "bef2013.parquet"]
    dream = next(each for each in sources.inputs if each.name == "dream.parquet")
    assert (dream.rows, dream.columns) == (small.PERSONS, len(small.benefits().column_names))
    assert len(dream.sha256) == 64
    before = [each.sha256 for each in input_hashes(small.register(), tmp_path)]
    assert before == [each.sha256 for each in sources.inputs]
    assert str(tmp_path) not in repr(sources.inputs)


@pytest.mark.parametrize(
    ("baseline", "month"), [("2014-12", (2014, 12)), (2014, (2014, 12)), ("2014Q3", (2014, 9)), ("2014M02", (2014, 2))]
)
def test_the_baseline_is_the_last_month_of_its_period(baseline, month):
    assert baseline_month(small.register(who={"baseline": baseline})) == month


def test_footers_tell_the_same_as_a_look_at_the_rows(tmp_path, stack):
    """Parquet files may come without statistics; then the rows are read, and the counts must be the same."""
    odd = {
        "bfl2014": small.hours(
            2014,
            AJO_LOENTIMER=[9999.0, None, *[1.0] * 118],
            AJO_INDKOMST_ART_KODE=[9, None, None, *[1] * 117],
            AJO_JOB_START_DATO=[None, *small.hours(2014)["AJO_JOB_START_DATO"].to_pylist()[1:]],
            PNR=[None, *small.hours(2014)["PNR"].to_pylist()[1:]],
        ),
        "bef2014": small.population(2014, KOM=["411", *["860"] * 19]),
    }
    told = small.opened(small.write(tmp_path, **odd), stack)
    for path in tmp_path.glob("b*.parquet"):
        pq.write_table(pq.read_table(path), path, write_statistics=False)
    looked_at = small.opened(tmp_path, stack)
    assert looked_at.counters == told.counters
    assert {name: count for name, count in told.counters.items() if count and name != "benefit_weeks_looked_at"} == {
        "hours_rows_without_person": 1,
        "hours_rows_missing": 1,
        "hours_rows_implausible": 1,
        "hours_rows_without_month": 1,
        "hours_rows_unknown_kind": 3,
        "population_rows_unknown_municipality": 1,
    }


@pytest.mark.parametrize("codes", [[860, 851, 787, 101], [860.0, 851.0, 787.0, 101.0], ["860", " 851", "787 ", "101"]])
def test_municipalities_are_three_digits_however_they_are_stored(tmp_path, stack, codes):
    changed = {f"bef{year}": small.population(year, KOM=codes * 5) for year in small.YEARS}
    sources = small.opened(small.write(tmp_path, **changed), stack)
    assert {row["municipality"] for row in small.rows(sources, sources.population)} == {"860", "851", "787", "101"}


def test_years_and_months_may_stand_in_columns_and_a_job_in_several(tmp_path, stack):
    """Another extract: one file of all years each, year and month as columns, a job told by workplace and company."""
    text = small.LAYOUT.read_text(encoding="utf-8")
    text = text.replace('file_year = "*{yyyy}*"', 'year = "AAR"', 1).replace(
        'date = "AJO_JOB_START_DATO"', 'year = "AAR"\nmonth = "MD"'
    )
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    small.write(tmp_path)
    people, paid = [], []
    for year in small.YEARS:
        people.append(small.population(year).append_column("aar", pa.array([str(year)] * small.PERSONS)))
        table = small.hours(year).drop_columns(["AJO_JOB_ID"])
        months = [day.month for day in table["AJO_JOB_START_DATO"].to_pylist()]
        works = pa.array([None, *[f"w{month}" for month in months[1:]]])
        for name, column in (
            ("AAR", pa.array([float(year)] * 120)),
            ("MD", pa.array(months)),
            ("ARBGNR", works),
            ("CVRNR", pa.array([7] * 120)),
        ):
            table = table.append_column(name, column)
        paid.append(table.drop_columns(["AJO_JOB_START_DATO"]))
    pq.write_table(pa.concat_tables(people), tmp_path / "people.parquet")
    pq.write_table(pa.concat_tables(paid), tmp_path / "paid.parquet")
    by_file, own = small.opened(tmp_path, stack), read_layout("own.toml", tmp_path)
    by_column = small.opened(tmp_path, stack, layout=own, population="people.parquet", hours="paid.parquet")
    assert small.rows(by_column, by_column.population) == small.rows(by_file, by_file.population)
    order = ("year", "month", "person")
    want, got = (small.rows(each, each.hours, *order) for each in (by_file, by_column))
    assert [{**row, "job": ""} for row in got] == [{**row, "job": ""} for row in want]
    assert [row["job"] for row in got[:2]] == ["|7", "w1|7"]


# other formats -------------------------------------------------------------------------------------------------------


def _frame(table: pa.Table):
    return table.to_pandas()


@pytest.mark.parametrize("kind", ["dta", "sav"])
def test_stata_and_spss_files_give_the_same_tables_as_parquet(tmp_path, stack, kind):
    """SAS goes the same way; .sas7bdat cannot be written here, so its reading is not tested."""
    small.write(tmp_path)
    expected = small.opened(tmp_path, stack)
    frames = (expected.population, expected.hours, expected.benefits([(2014, 52)], [(2014, 4)]))
    want = [small.rows(expected, frame) for frame in frames]
    other = tmp_path / kind
    other.mkdir()
    write = pyreadstat.write_dta if kind == "dta" else pyreadstat.write_sav
    for path in sorted(tmp_path.glob("*.parquet")):
        write(_frame(pq.read_table(path)), str(other / f"{path.stem}.{kind}"))
    found = small.opened(other, stack, population=f"bef*.{kind}", benefits=f"dream.{kind}", hours=f"bfl*.{kind}")
    got = [
        small.rows(found, frame) for frame in (found.population, found.hours, found.benefits([(2014, 52)], [(2014, 4)]))
    ]
    assert got == want


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-8"), (",", "cp1252"), ("\t", "utf-8-sig")])
def test_csv_files_give_the_same_tables_as_parquet(tmp_path, stack, separator, encoding):
    small.write(tmp_path)
    expected = small.opened(tmp_path, stack)
    want = [small.rows(expected, frame) for frame in (expected.population, expected.hours)]
    for path in sorted(tmp_path.glob("b*.parquet")):
        table = pq.read_table(path)
        with (tmp_path / f"{path.stem}.csv").open("w", encoding=encoding, newline="") as file:
            writer = csv.writer(file, delimiter=separator)
            writer.writerow([*table.column_names, "BEMÆRKNING"])
            for row in table.to_pylist():
                shown = [f"{v}".replace(".", ",") if isinstance(v, float) else v for v in row.values()]
                writer.writerow([*shown, "på"])
    found = small.opened(tmp_path, stack, population="bef*.csv", hours="bfl*.csv")
    assert [small.rows(found, frame) for frame in (found.population, found.hours)] == want


@pytest.mark.parametrize("dates", ["%Y-%m-%d", "%d-%m-%Y", "%Y%m%d", "whole"])
def test_dates_may_be_written_in_several_ways(tmp_path, stack, dates):
    days = small.population(2014)["FOED_DAG"].to_pylist()
    written = (
        [int(day.strftime("%Y%m%d")) for day in days] if dates == "whole" else [day.strftime(dates) for day in days]
    )
    sources = small.opened(small.write(tmp_path, bef2014=small.population(2014, FOED_DAG=written)), stack)
    import narwhals as nw

    found = small.rows(sources, sources.population.filter(nw.col("year") == 2014), "person")
    assert [(row["birth_year"], row["birth_month"]) for row in found] == [(day.year, day.month) for day in days]


def test_a_file_is_converted_once_in_chunks_and_told_of(tmp_path):
    table = small.hours(2014)
    pyreadstat.write_dta(_frame(table), str(tmp_path / "bfl2014.dta"))
    said: list[str] = []
    first = converted(
        tmp_path / "bfl2014.dta", None, tmp_path / "cache", lambda stage, text: said.append(text), chunk=50
    )
    assert isinstance(first, Path)
    assert said == [f"bfl2014.dta: {rows} rows to Parquet" for rows in (50, 100, 120)]
    assert pq.read_table(first)["AJO_LOENTIMER"].to_pylist() == table["AJO_LOENTIMER"].to_pylist()
    assert pq.read_schema(first).field("AJO_JOB_START_DATO").type == pa.date32()
    said.clear()
    assert converted(tmp_path / "bfl2014.dta", None, tmp_path / "cache", lambda stage, text: said.append(text)) == first
    assert said == []
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(first.stat().st_mode) == 0o600, "it holds persons' rows"


def test_a_column_that_is_empty_in_the_first_chunk_keeps_its_declared_type(tmp_path):
    import pandas as pd

    frame = pd.DataFrame(
        {
            "PNR": [f"S{n}" for n in range(6)],
            "day": [None] * 4 + [datetime.date(2014, 1, 1)] * 2,
            "x": [None] * 5 + [2.0],
        }
    )
    frame["x"] = frame["x"].astype(float)
    pyreadstat.write_sav(frame, str(tmp_path / "a.sav"))
    path = converted(tmp_path / "a.sav", None, tmp_path / "cache", chunk=2)
    assert isinstance(path, Path)
    found = pq.read_table(path)
    assert found["day"].to_pylist()[4:] == [datetime.date(2014, 1, 1)] * 2
    assert found["x"].to_pylist()[-1] == 2.0


def test_the_second_engine_opened_in_one_process_does_not_disturb_the_first(tmp_path, stack):
    one = small.opened(small.write(tmp_path), stack)
    with open_engine("duckdb") as engine, ExitStack() as inner:
        two = small.opened(tmp_path, inner, engine)
        assert len(small.rows(two, two.population)) == small.PERSONS * len(small.YEARS)
    assert len(small.rows(one, one.population)) == small.PERSONS * len(small.YEARS)
