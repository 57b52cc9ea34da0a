"""The register files on disk: which there are, what columns they hold, and their hashes. No rows are read here."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.errors import DataError, Problem, listed, nearest
from evaluation.result import InputFile

if TYPE_CHECKING:
    import pyarrow as pa

    from evaluation.spec.model import Register

PARQUET = (".parquet", ".pq", ".parq")
DELIMITED = (".csv", ".tsv", ".txt")
STATISTICAL = (".sas7bdat", ".dta", ".sav", ".zsav")
FORMATS = PARQUET + DELIMITED + STATISTICAL
REGISTERS = ("population", "benefits", "hours", "education")
_BLOCK = 2**22


@dataclass(frozen=True, slots=True)
class RegisterFile:
    """One Parquet file: the name it is called by (the original's, where it was converted), its columns and rows."""

    path: Path
    name: str
    schema: pa.Schema
    rows: int
    metadata: Any

    def column(self, name: str) -> str | None:
        """The column as the file spells it, whatever its case; None when there is none."""
        if name in self.schema.names:
            return name
        folded = name.casefold()
        return next((each for each in self.schema.names if each.casefold() == folded), None)

    def repeated(self) -> list[str]:
        """Columns that differ in case only, so that neither can be told from the other."""
        seen: dict[str, str] = {}
        return [name for name in self.schema.names if seen.setdefault(name.casefold(), name) != name]


def find_files(text: str, folder: Path) -> tuple[Path, ...] | str:
    """The files of a path or glob in the order of their names, or what is wrong, in words."""
    pattern = os.path.join(folder, text)
    if os.path.isdir(pattern):
        inside = sorted({Path(name).suffix for name in os.listdir(pattern) if Path(name).suffix.casefold() in FORMATS})
        hint = f'; write "{text.rstrip("/")}/*{inside[0]}"' if inside else ", and no register file is in it"
        return f"this is a folder, not a file{hint}"
    if glob.has_magic(text) and not os.path.exists(pattern):
        found = sorted(
            Path(path)
            for path in glob.glob(os.path.join(glob.escape(str(folder)), text), recursive=True)
            if os.path.isfile(path)
        )
        if not found:
            return f"no file fits this pattern{_nearby(pattern)}"
    elif os.path.isfile(pattern):
        found = [Path(pattern)]
    else:
        return f"there is no such file{_nearby(pattern)}"
    odd = [path.name for path in found if path.suffix.casefold() not in FORMATS]
    if odd:
        return (
            f"{len(odd)} of {len(found)} files are of no known kind ({listed(odd, 3)}); "
            f"the kinds are {listed(FORMATS, 12)}"
        )
    return tuple(found)


def _nearby(pattern: str) -> str:
    """The clause that names what there is instead: never a folder above the one that was written."""
    folder, wanted = os.path.split(pattern)
    if not os.path.isdir(folder or "."):
        return f", and no folder '{os.path.basename(folder)}'"
    names = sorted(name for name in os.listdir(folder or ".") if Path(name).suffix.casefold() in FORMATS)
    meant = None if glob.has_magic(wanted) else nearest(wanted, names)
    if meant:
        return f"; did you mean '{meant}'?"
    return f"; the folder holds {listed(names, 4)}" if names else "; the folder holds no register file"


def inspect(path: Path, name: str) -> RegisterFile | str:
    """A Parquet file's columns and rows by its footer, or what is wrong with it, in words."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if os.path.getsize(path) == 0:
            return "the file is empty (0 bytes)"
        metadata = pq.read_metadata(path)
        schema = metadata.schema.to_arrow_schema()
    except PermissionError:
        return "the file may not be read by this user"
    except (pa.ArrowException, OSError, ValueError):
        return "this is not a whole Parquet file: it is cut off or damaged, or still being written; copy it again"
    if metadata.num_rows == 0:
        return "the file has columns but no rows"
    return RegisterFile(path, name, schema, int(metadata.num_rows), metadata)


def register_files(register: Register, folder: Path) -> tuple[Path, ...]:
    """The files of all registers that are there; what is wrong with the others is told when they are opened."""
    found = (find_files(text, folder) for key in REGISTERS if (text := getattr(register, key)) is not None)
    return tuple(path for files in found if not isinstance(files, str) for path in files)


def sha256_of(path: Path) -> str:
    """The hash of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def input_hashes(
    register: Register, folder: Path, problem: Callable[[str, str], Problem] | None = None
) -> tuple[InputFile, ...]:
    """Name, hash and size of every register file, before anything is scanned: what the cache of cells is keyed by.

    Rows and columns are 0 here; `open_sources` fills them in. Files are read once, in blocks.

    Raises
    ------
    DataError
        Files are missing or may not be read: all of them at once. `problem(key, what)` gives each its place in the spec.
    """
    say = problem or (lambda key, what: Problem(f"[register] {key}", what))
    inputs: list[InputFile] = []
    problems: list[Problem] = []
    for key in REGISTERS:
        text = getattr(register, key)
        if text is None:
            continue
        found = find_files(text, folder)
        if isinstance(found, str):
            problems.append(say(key, found))
            continue
        for path in found:
            try:
                size = os.path.getsize(path)
                if size == 0:
                    problems.append(say(key, f"{path.name}: the file is empty (0 bytes)"))
                    continue
                inputs.append(InputFile(path.name, sha256_of(path), size, 0, 0, {"register": key}))
            except OSError as error:
                problems.append(say(key, f"{path.name}: cannot be read ({(error.strerror or 'unknown').lower()})"))
    if problems:
        raise DataError(*problems)
    return tuple(inputs)


def named(files: Sequence[RegisterFile], most: int = 3) -> str:
    """Names of files in prose."""
    return listed([file.name for file in files], most)
