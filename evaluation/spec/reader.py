"""From a TOML file to a spec that was judged: every problem at once, each at its line, before any data are read."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evaluation.errors import Problem, SpecError, UsageError, nearest
from evaluation.shown import excerpt
from evaluation.spec.catalogue import Catalogue
from evaluation.spec.findings import Finding, placed
from evaluation.spec.loaded import LoadedSpec
from evaluation.spec.locate import KeyPath, locate
from evaluation.spec.model import Spec
from evaluation.spec.rules import ruled, without_planned
from evaluation.spec.syntax import syntax_problem
from evaluation.spec.tables import describe, unknown_keys
from evaluation.spec.words import findings_of

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_spec(path: str | os.PathLike[str], catalogue: Catalogue) -> LoadedSpec:
    """Read and judge a spec.

    Parameters
    ----------
    path : str or path
        The file; messages name it as it is written here.
    catalogue : Catalogue
        The estimators, inferences and adjustments there are.

    Raises
    ------
    UsageError
        There is no such file.
    SpecError
        Something is wrong with what the file says: all problems, in the order of the file.
    """
    name = os.fspath(path)
    text = _text(name)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(syntax_problem(text, name, error)) from None
    except RecursionError:
        raise SpecError(f"{name}: lists or tables are nested too deeply to be read") from None
    if not raw:
        raise SpecError(f"{name}: the file is empty; `evaluate --init NAME` writes a spec that works as it stands")
    locator = locate(text, name)
    spec, findings = judged(raw, catalogue)
    if spec is None or findings:
        raise SpecError(*placed(findings, locator))
    return LoadedSpec(spec=spec, path=Path(name), text=text, locator=locator)


def judged(raw: dict[str, Any], catalogue: Catalogue) -> tuple[Spec | None, list[Finding]]:
    """The spec that plain values make (None when they make none), and everything that is wrong with them."""
    raw, findings = without_planned(raw)
    unknown, meant = unknown_keys(raw, catalogue)
    spec = None
    try:
        spec = Spec.model_validate(raw)
    except ValidationError as error:
        findings += findings_of(error.errors(include_url=False), raw, describe)
    findings = [finding for finding in findings if not _misspelt(finding, meant)]
    if "register" in raw or "simulate" in raw:
        # the rules say which of the sources of data is missing or one too many
        findings = [finding for finding in findings if finding.path != ("data",)]
    said = {finding.path for finding in findings}
    findings += unknown
    findings += [finding for finding in ruled(raw, catalogue, meant) if finding.path not in said]
    return spec, findings


def _misspelt(finding: Finding, meant: set[KeyPath]) -> bool:
    """Whether a missing key was given under a name that is nearly right."""
    return finding.path in meant


def _text(name: str) -> str:
    """The file's text, with a byte-order mark taken off."""
    try:
        path = Path(name)
        if path.exists() and not path.is_file() and not path.is_dir():
            raise UsageError(f"{name}: this is not a regular file; write the spec into one")
        content = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{name}: there is no such file{_beside(name)}") from None
    except IsADirectoryError:
        raise UsageError(f"{name}: this is a folder, not a spec{_inside(name)}") from None
    except OSError as error:
        raise UsageError(f"{name}: cannot be read ({(error.strerror or type(error).__name__).lower()})") from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpecError(f"{name}: the file is in UTF-16; save it as UTF-8")
    content = content.removeprefix(_BYTE_ORDER_MARK)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(_not_utf8(name, content, error.start)) from None


def _not_utf8(name: str, content: bytes, offset: int) -> Problem:
    line = content.count(b"\n", 0, offset) + 1
    start = content.rfind(b"\n", 0, offset) + 1
    column = len(content[start:offset].decode("utf-8")) + 1
    end = content.find(b"\n", start)
    # Windows-1252 is what Danish text is in when it is not UTF-8
    quote = content[start : end if end >= 0 else None].decode("cp1252", errors="replace").rstrip("\r")
    return Problem(
        f"{name}:{line}:{column}",
        "this sign is not in UTF-8; save the file as UTF-8 (it is probably in Windows-1252)",
        f"{line:>6} | {excerpt(quote, column)}",
    )


def _beside(name: str) -> str:
    """The clause that names the spec which may have been meant."""
    folder, wanted = os.path.split(name)
    if os.path.isfile(f"{name}.toml"):
        return f"; did you mean '{name}.toml'?"
    if folder and not os.path.isdir(folder):
        return f", and no folder '{folder}'"
    specs = _specs_in(folder)
    meant = nearest(wanted, specs) or nearest(f"{wanted}.toml", specs)
    return f"; did you mean '{os.path.join(folder, meant)}'?" if meant else ""


def _inside(name: str) -> str:
    specs = _specs_in(name)
    return f"; did you mean '{os.path.join(name, specs[0])}'?" if len(specs) == 1 else ""


def _specs_in(folder: str) -> list[str]:
    try:
        return sorted(each for each in os.listdir(folder or ".") if each.endswith(".toml"))
    except OSError:
        return []
