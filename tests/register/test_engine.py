"""DuckDB and Spark execute the same expressions to the same tables, and what an engine says about cells is never passed on."""

from __future__ import annotations

import shutil
from contextlib import ExitStack

import duckdb
import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.errors import DataError, SpecError
from evaluation.register import engine as engines
from evaluation.register.engine import free_memory, open_engine, read_amount
from evaluation.register.where import parse
from tests.register import small


def _no_spark() -> str:
    """Why Spark cannot be tried here, or nothing."""
    try:
        import pyspark  # noqa: F401
    except ImportError:
        return "pyspark is not installed"
    return "" if shutil.which("java") else "there is no Java, which pyspark needs"


@pytest.fixture(scope="module")
def spark():
    """One session for all tests of this file: it takes ten seconds to start, most of them Java's compiler for long runs."""
    if why := _no_spark():
        pytest.skip(why)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        with open_engine("pyspark") as engine:
            yield engine


def test_both_engines_give_the_same_tables_to_the_last_digit(tmp_path, spark):
    amounts = [0.1 + 0.005 * number for number in range(118)] + [9999.0, -37.0]
    folder = small.write(tmp_path, years=(2013, 2014), bfl2014=small.hours(2014, AJO_LOENTIMER=amounts))
    dates = [day.strftime("%d-%m-%Y") for day in small.population(2013)["FOED_DAG"].to_pylist()]
    pq.write_table(small.population(2013, FOED_DAG=dates), folder / "bef2013.parquet")
    found, counters = [], []
    for name in ("duckdb", "pyspark"):
        with ExitStack() as stack:
            engine = spark if name == "pyspark" else stack.enter_context(open_engine(name, "512MB"))
            sources = small.opened(folder, stack, engine, periods=(2013, 2014))
            kept = engine.keep(sources.hours, "hours")
            counters.append(dict(sources.counters))
            found.append(
                [
                    small.rows(sources, sources.population.filter(parse("sex == 'man' and 1971 <= birth_year < 1985", ["sex", "birth_year"]))),
                    small.rows(sources, kept),
                    small.rows(sources, kept.group_by("year", "kind").agg(nw.col("hours_100").sum(), (nw.col("hours_100") * nw.col("hours_100")).sum().alias("squares"))),
                    small.rows(sources, sources.benefits([(2013, 1), (2014, 52)], [(2013, 4), (2014, 4)])),
                ]
            )  # fmt: skip
    assert counters[0] == counters[1]
    assert counters[0]["hours_rows_implausible"] == 1
    for ours, theirs in zip(*found, strict=True):
        assert ours == theirs
        assert len(ours) > 0


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("2GB", 2 * 10**9), ("1.5 GiB", int(1.5 * 2**30)), ("900mb", 900 * 10**6), ("1KB", 256 * 2**20)],
)
def test_memory_is_an_amount_and_never_less_than_an_engine_needs(text, bytes_):
    assert read_amount(text) == bytes_


@pytest.mark.parametrize("text", ["", "GB", "two GB", "-1GB", "2GB; DROP", "nan", "inf GB", "1e99GB"])
def test_what_is_no_amount_of_memory_is_refused(text):
    with pytest.raises(SpecError, match="is not an amount"):
        read_amount(text)


def test_duckdb_takes_at_most_half_of_what_is_free(monkeypatch):
    monkeypatch.setattr(engines, "free_memory", lambda: 10**9)
    with open_engine("duckdb", "64GB") as engine:
        (limit,) = engine.connection.execute("SELECT current_setting('memory_limit')").fetchone()
    assert limit == "476.8 MiB"
    assert free_memory() > 0


def test_an_unknown_engine_is_refused_with_the_nearest():
    with pytest.raises(SpecError, match="no engine 'duckbd'; did you mean 'duckdb'"), open_engine("duckbd"):
        pass


def test_sums_of_whole_numbers_come_as_int64():
    with open_engine("duckdb") as engine:
        frame = nw.from_native(engine.connection.sql("SELECT 1::HUGEINT AS a, 2::SMALLINT AS b, 'x' AS c"))
        assert engine.collect(frame).schema == pa.schema([("a", pa.int64()), ("b", pa.int64()), ("c", pa.string())])


def test_an_error_of_the_engine_never_shows_a_cell(tmp_path):
    pq.write_table(pa.table({"PNR": ["S0000001", "secret"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError) as error, open_engine("duckdb") as engine:
        engine.collect(engine.scan([tmp_path / "a.parquet"]).select(nw.col("PNR").cast(nw.Int64)))
    assert "secret" not in str(error.value)
    assert "is not a number" in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


def test_a_file_that_breaks_off_while_it_is_read_is_told_without_its_path(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": list(range(100_000))}), path)
    content = bytearray(path.read_bytes())
    content[100:5000] = bytes(4900)
    path.write_bytes(content)
    with (
        pytest.raises(DataError, match=r"could not be read to its end|could not compute") as error,
        open_engine("duckdb") as engine,
    ):
        engine.collect(engine.scan([path]).select(nw.col("a").sum()))
    assert str(tmp_path) not in str(error.value)


def test_a_sealed_engine_reads_no_other_file(tmp_path):
    for name in "ab":
        pq.write_table(pa.table({"a": [1]}), tmp_path / f"{name}.parquet")
    (tmp_path / "secret.csv").write_text("x\n1\n")
    with open_engine("duckdb", temporary=tmp_path) as engine:
        frame = engine.scan([tmp_path / "a.parquet"])
        engine.seal([tmp_path / "a.parquet"])
        assert engine.collect(frame).num_rows == 1
        assert engine.collect(engine.keep(frame, "kept")).num_rows == 1
        for sql in (
            f"SELECT * FROM read_csv('{tmp_path}/secret.csv')",
            f"SELECT * FROM '{tmp_path}/b.parquet'",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            "SET enable_external_access = true",
            "INSTALL httpfs",
        ):
            with pytest.raises(duckdb.Error):
                engine.connection.execute(sql).fetchall()
    assert not (tmp_path / "out.csv").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("nettoeffekt-")], "temporary files stay"


def test_the_default_connection_is_put_back():
    before = duckdb.default_connection()
    with open_engine("duckdb"):
        pass
    assert duckdb.default_connection() is before


def test_without_java_or_pyspark_there_is_one_clear_message(monkeypatch):
    if why := _no_spark():
        pytest.skip(why)
    from pyspark.sql import SparkSession

    monkeypatch.setattr(SparkSession, "getActiveSession", staticmethod(lambda: None))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(DataError, match="needs Java, and none was found"), open_engine("pyspark"):
        pass
    monkeypatch.setitem(__import__("sys").modules, "pyspark.errors", None)
    with pytest.raises(DataError, match=r"nettoeffekt\[cluster\]"), open_engine("pyspark"):
        pass


def test_paths_are_no_patterns(tmp_path):
    """A folder's name with brackets in it is a name, although engines would read it as a pattern."""
    folder = tmp_path / "run [1]"
    folder.mkdir()
    small.write(folder)
    with ExitStack() as stack:
        sources = small.opened(folder, stack)
        assert len(small.rows(sources, sources.population)) == small.PERSONS * len(small.YEARS)
