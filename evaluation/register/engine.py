"""What executes the register tables: DuckDB in this process, or Spark on a cluster, behind the same narwhals frames.

Errors of the engines quote cells of persons, so they are caught here and told in our words, without the engine's text.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from evaluation.errors import DataError, SpecError, did_you_mean, listed

if TYPE_CHECKING:
    import narwhals as nw
    import pyarrow as pa

ENGINES = ("duckdb", "pyspark")
_UNITS = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
_LEAST_MEMORY = 256 * 2**20


class EngineError(DataError):
    """Nothing was written. What reads the registers gave up, over too little room or a damaged file."""


class Engine(Protocol):
    """Reads register files lazily and computes small tables from them."""

    name: str

    def scan(self, files: Sequence[Path]) -> nw.LazyFrame[Any]:
        """Parquet files (or CSV files, all columns as text) of one schema as one lazy table."""
        ...

    def keep(self, frame: nw.LazyFrame[Any], name: str) -> nw.LazyFrame[Any]:
        """Compute a table now and keep it inside the engine, where it is read again and again."""
        ...

    def collect(self, frame: nw.LazyFrame[Any]) -> pa.Table:
        """Compute a small table; whole numbers come as int64, whatever the engine's sums are."""
        ...

    def seal(self, files: Sequence[Path]) -> None:
        """From now on read no other file than these, as far as the engine can promise it.

        On DuckDB narwhals' `unpivot` and `with_row_index` work no longer after this (they name a Python variable in SQL).
        """
        ...

    def close(self) -> None:
        """Give back memory, temporary files and sessions opened here."""
        ...


def open_engine(name: str, memory: str | None = None, temporary: Path | None = None) -> AbstractContextManager[Engine]:
    """Open an engine; to be used in a `with` statement.

    Parameters
    ----------
    name : str
        "duckdb" or "pyspark".
    memory : str, optional
        The most memory DuckDB may use ("2GB"); it never gets more than half of what is free. Spark has its own settings.
    temporary : Path, optional
        An existing folder for what does not fit into memory; a folder made here is removed at the end.

    Raises
    ------
    SpecError
        No such engine, or the memory is not an amount.
    DataError
        The engine is not installed, or Spark finds no Java.
    """
    if name not in ENGINES:
        raise SpecError(f"no engine '{name}'{did_you_mean(name, ENGINES) or '; there are ' + listed(ENGINES)}")
    most = None if memory is None else read_amount(memory)
    return _opened(name, most, temporary)


def read_amount(text: str) -> int:
    """An amount of memory such as "2GB" or "512 MiB" in bytes; raises SpecError for anything else."""
    stripped = text.strip().upper()
    digits = stripped.rstrip("KMGTIB ")
    unit = stripped[len(digits) :].strip() or "B"
    try:
        amount = float(digits)
    except ValueError:
        amount = float("nan")
    if unit not in _UNITS or not 0 < amount < 1e15:
        raise SpecError(f'memory \'{text[:20]}\' is not an amount; write it as "2GB" or "512MB"')
    return max(int(amount * _UNITS[unit]), _LEAST_MEMORY)


def free_memory() -> int:
    """Bytes that could be used now, as far as the system and a container's limit tell; 2 GiB where neither does."""
    free: list[int] = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free.append(int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) * 1024)
    with contextlib.suppress(OSError, ValueError):
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
        free.append(max(limit - int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii")), 0))
    if not free:
        with contextlib.suppress(AttributeError, OSError, ValueError):
            free.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)
    return min(free, default=2 * 2**30)


@contextlib.contextmanager
def _opened(name: str, memory: int | None, temporary: Path | None) -> Iterator[Engine]:
    folder = tempfile.mkdtemp(prefix="nettoeffekt-", dir=temporary)
    engine: Engine | None = None
    try:
        engine = _DuckDB(memory, folder) if name == "duckdb" else _Spark(folder)
        with _in_our_words(name):
            yield engine
    finally:
        if engine is not None:
            engine.close()
        shutil.rmtree(folder, ignore_errors=True)


class _DuckDB:
    """DuckDB inside this process: out of core, so memory holds only what is being worked on."""

    name = "duckdb"

    def __init__(self, memory: int | None, folder: str) -> None:
        try:
            import duckdb
        except ImportError:
            raise DataError('the engine duckdb is not installed; install the package "duckdb"') from None
        half = max(free_memory() // 2, _LEAST_MEMORY)
        self.connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{min(memory or half, half)}B",
                "temp_directory": folder,
                "threads": _cpus(),
                "checkpoint_threshold": "1TB",
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        self.connection.execute("SET enable_progress_bar = false")
        # narwhals runs unpivot and row numbers on duckdb's default connection, so ours has to be the default one meanwhile
        self.before = duckdb.default_connection()
        duckdb.set_default_connection(self.connection)
        self.numbers = itertools.count()

    def scan(self, files: Sequence[Path]) -> nw.LazyFrame[Any]:
        import narwhals as nw

        paths = [re.sub(r"([*?\[])", r"[\1]", str(path)) for path in files]  # a name, not a pattern
        with _in_our_words(self.name):
            if paths[0].casefold().endswith((".csv", ".txt", ".tsv")):
                return nw.from_native(self.connection.read_csv(paths, header=True, all_varchar=True))  # type: ignore[arg-type]
            return nw.from_native(self.connection.read_parquet(paths, union_by_name=False, hive_partitioning=False))

    def keep(self, frame: nw.LazyFrame[Any], name: str) -> nw.LazyFrame[Any]:
        import narwhals as nw

        table = f"kept_{next(self.numbers)}_{''.join(sign for sign in name if sign.isascii() and sign.isalnum())}"
        with _in_our_words(self.name):
            nw.to_native(frame).create(table)
            return nw.from_native(self.connection.table(table))

    def collect(self, frame: nw.LazyFrame[Any]) -> pa.Table:
        with _in_our_words(self.name):
            return _plain(frame.collect("pyarrow").to_native())

    def seal(self, files: Sequence[Path]) -> None:
        if any(re.search(r"[*?\[]", str(path)) for path in files):
            return  # DuckDB would have to list the folder to find such a file, and may not once it is sealed
        with _in_our_words(self.name):
            self.connection.execute("SET allowed_paths = $1", [[str(path) for path in files]])
            self.connection.execute("SET enable_external_access = false")
            self.connection.execute("SET lock_configuration = true")

    def close(self) -> None:
        import duckdb

        duckdb.set_default_connection(self.before)
        self.connection.close()


class _Spark:
    """Spark: the session that is active already, or else one on this machine with two workers."""

    name = "pyspark"

    def __init__(self, folder: str) -> None:
        try:
            from pyspark.errors import PySparkException
            from pyspark.sql import SparkSession
        except ImportError:
            raise DataError(
                'the engine pyspark is not installed; install it with pip install "nettoeffekt[cluster]", '
                'or set engine = "duckdb"'
            ) from None
        active = SparkSession.getActiveSession()
        if active is None and shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
            raise DataError(
                'the engine pyspark needs Java, and none was found; install Java 17, or set engine = "duckdb"'
            )
        self.own = active is None
        try:
            self.session = active or _new_session(SparkSession.builder, folder)
        except (PySparkException, RuntimeError, OSError):
            raise DataError(
                'Spark did not start; check that Java 17 or newer is installed, or set engine = "duckdb"'
            ) from None
        self.kept: list[Any] = []

    def scan(self, files: Sequence[Path]) -> nw.LazyFrame[Any]:
        import narwhals as nw

        paths = [re.sub(r"([*?\[\]{}\\])", r"\\\1", str(path.absolute())) for path in files]  # a name, not a pattern
        with _in_our_words(self.name):
            if paths[0].casefold().endswith((".csv", ".txt", ".tsv")):
                return nw.from_native(self.session.read.csv(paths, header=True, sep=_separator(files[0])))
            return nw.from_native(self.session.read.parquet(*paths))

    def keep(self, frame: nw.LazyFrame[Any], name: str) -> nw.LazyFrame[Any]:
        import narwhals as nw

        with _in_our_words(self.name):
            native: Any = nw.to_native(frame).persist()
            native.count()  # lazy otherwise: computed at the first use, under another heading
            self.kept.append(native)
            return nw.from_native(native)  # type: ignore[no-any-return]

    def collect(self, frame: nw.LazyFrame[Any]) -> pa.Table:
        with _in_our_words(self.name):
            return _plain(frame.collect("pyarrow").to_native())

    def seal(self, files: Sequence[Path]) -> None:
        """Spark has no such lock; what users may write is kept from it by `where` alone."""

    def close(self) -> None:
        for frame in self.kept:
            frame.unpersist()
        if self.own:
            self.session.stop()


def _new_session(builder: Any, folder: str) -> Any:
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "4",
        "spark.local.dir": folder,
        "spark.sql.warehouse.dir": os.path.join(folder, "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.driver.host": "localhost",
        "spark.driver.bindAddress": "127.0.0.1",
    }
    builder = builder.master("local[2]").appName("nettoeffekt")
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


@contextlib.contextmanager
def _in_our_words(name: str) -> Iterator[None]:
    """Turn an engine's error, which may quote a person's row or a path, into one of ours."""
    try:
        yield
    except Exception as error:
        module = type(error).__module__.split(".")[0].lstrip("_")
        if module not in ("duckdb", "pyspark", "py4j"):
            raise
        raise EngineError(_told(name, type(error).__name__, str(error))) from None


def _told(name: str, kind: str, text: str) -> str:
    """What an engine's error means; its text is looked at, never passed on."""
    lower = text.casefold()
    if kind == "OutOfMemoryException" or "outofmemory" in lower:
        return 'the memory did not suffice; raise [register] memory, such as memory = "4GB", or use a machine with more'
    if (kind == "IOException" and "disk" in lower) or "no space left" in lower:
        return "the disk is full: there is no room for what does not fit into memory; free some, or set TMPDIR to another disk"
    if kind in ("ConversionException", "OutOfRangeException") or "cast_" in lower or "overflow" in lower:
        return "a value of a register file is not a number of the expected kind, or is too large for one"
    damaged = ("parquet", "snappy", "zstd", "thrift", "failed to read", "end of file", "corrupt")
    if kind in ("IOException", "SerializationException", "HTTPException") or any(word in lower for word in damaged):
        return "a register file could not be read to its end: it is damaged, or it was changed while it was being read"
    return f"the engine {name} could not compute this ({kind}); report it together with the spec"


def _plain(table: pa.Table) -> pa.Table:
    """Whole numbers as int64 (DuckDB sums into 128 bits), dates and texts as they are."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        whole = pa.types.is_decimal(field.type) and field.type.scale == 0
        if whole or (pa.types.is_integer(field.type) and field.type != pa.int64()):
            table = table.set_column(place, field.name, table.column(place).cast(pa.int64()))
        elif pa.types.is_large_string(field.type) or pa.types.is_string_view(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(pa.string()))
    return table


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(len(os.sched_getaffinity(0)), 1)
    return os.cpu_count() or 1


def _separator(path: Path) -> str:
    """The sign that separates the columns of a CSV file, by its first line."""
    with path.open("rb") as file:
        first = file.readline(1_000_000)
    return max((";", "\t", "|", ","), key=lambda sign: first.count(sign.encode()))
