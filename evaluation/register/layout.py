"""The layout of person registers as data: names of columns, meanings of codes, limits of what is plausible.

A layout is a TOML file (`layouts/statistics-denmark.toml` comes with the package); nothing about columns or codes stands in
the code. Codes are compared as texts without leading zeros or decimals ("081", 81 and 81.0 are one code), weekly benefit
codes as whole numbers.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from evaluation.errors import SpecError, did_you_mean, listed
from evaluation.register.layout_reader import Findings, Node
from evaluation.spec.locate import locate
from evaluation.spec.syntax import syntax_problem

Codes: TypeAlias = Mapping[str, frozenset[str]]
"""Canonical name -> the codes of the file that mean it."""

READINESS = ("jobparat", "aktivitetsparat", "uddannelsesparat", "åbenlyst uddannelsesparat")
STATES = ("support", "education", "subsidised", "fleksjob", "disability_pension", "pension", "dead", "emigrated")
KINDS = ("ordinary", "fleksjob", "subsidised")
LEVELS = ("none_beyond_school", "vocational", "higher", "unknown")
_FOLDER = Path(__file__).parent / "layouts"
_FIELDS = {"yyyy": r"(?P<yyyy>\d{4})", "yy": r"(?P<yy>\d{2})", "ww": r"(?P<ww>\d{2})", "q": r"(?P<q>[1-4])"}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A name with {yyyy}, {yy}, {ww}, {q} or * in it."""

    text: str

    def name(self, year: int, part: int = 0) -> str:
        """The name for a year and a week or quarter."""
        filled = self.text.replace("{yyyy}", f"{year:04d}").replace("{yy}", f"{year % 100:02d}")
        return filled.replace("{ww}", f"{part:02d}").replace("{q}", str(part))

    def match(self, name: str) -> tuple[int, int] | None:
        """The year and the week or quarter (0 without one) that a name holds, or None; case does not matter."""
        found = re.fullmatch(self._expression(), name, re.IGNORECASE)
        if found is None:
            return None
        fields = found.groupdict()
        year = int(fields["yyyy"]) if "yyyy" in fields else _century(int(fields["yy"]))
        return year, int(fields.get("ww") or fields.get("q") or 0)

    def _expression(self) -> str:
        parts = re.split(r"(\{\w+\}|\*)", self.text)
        return "".join(
            ".*?"
            if part == "*"
            else _FIELDS.get(part[1:-1], re.escape(part))
            if part.startswith("{")
            else re.escape(part)
            for part in parts
        )


@dataclass(frozen=True, slots=True)
class PopulationLayout:
    """The population register. `origins` maps "danish", "western", "non_western" and "foreign" (western or not by `country`)."""

    person: str
    municipality: str
    born: str
    sex: str
    sexes: Codes
    origin: str | None
    origins: Codes
    country: str | None
    western_countries: frozenset[str]
    year: str | None
    file_year: Pattern | None


@dataclass(frozen=True, slots=True)
class EducationLayout:
    """The education register. `levels` holds (lowest code, highest code, canonical level), ordered."""

    person: str
    level: str
    levels: tuple[tuple[int, int, str], ...]
    file_year: Pattern | None


@dataclass(frozen=True, slots=True)
class BenefitsLayout:
    """The benefit register: one row per person, one column per week and per quarter.

    `codes` are all weekly codes that mean something, `none` those that mean no benefit, as an empty week does.
    """

    person: str
    week: Pattern
    visit: Pattern | None
    match: Pattern | None
    codes: frozenset[int]
    none: frozenset[int]


@dataclass(frozen=True, slots=True)
class HoursLayout:
    """The register of paid hours: one row per job and month."""

    person: str
    job: tuple[str, ...]
    date: str | None
    year: str | None
    month: str | None
    hours: str
    reported: str | None
    reported_values: frozenset[str]
    kind: str | None
    kinds: Codes


@dataclass(frozen=True, slots=True)
class Limits:
    """What is plausible: hours of a row, of a month, of a year; shares (0 to 1) up to which oddities are only counted."""

    row_hours: int
    month_hours: int
    year_hours: int
    implausible_share: float
    unknown_share: float


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole layout.

    `benefits_by_name` and `states` map names to weekly codes; `readiness` and `bridge` map canonical referral categories to
    the values of VISIT and of MATCH. `assumed` names what was not checked against a code guide; `sha256` is the file's hash.
    """

    name: str
    version: str
    population: PopulationLayout
    benefits: BenefitsLayout
    hours: HoursLayout
    education: EducationLayout | None
    benefits_by_name: Mapping[str, frozenset[int]]
    states: Mapping[str, frozenset[int]]
    readiness: Codes
    bridge: Codes
    limits: Limits
    assumed: tuple[str, ...]
    sha256: str


def read_layout(name_or_path: str, folder: Path) -> Layout:
    """Read a layout that comes with the package, or the user's own TOML file.

    Parameters
    ----------
    name_or_path : str
        A name ("statistics-denmark"), or a path relative to `folder`, told apart by a slash or the ending ".toml".
    folder : Path
        The folder of the spec.

    Raises
    ------
    SpecError
        There is no such layout, or its file is wrong: all mistakes at once, each at file:line:column.
    """
    path, shown = _found(name_or_path, folder)
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise SpecError(f"layout {shown}: cannot be read ({(error.strerror or 'unknown reason').lower()})") from None
    except UnicodeDecodeError:
        raise SpecError(f"layout {shown}: the file is not in UTF-8; save it as UTF-8") from None
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(syntax_problem(text, shown, error)) from None
    except RecursionError:
        raise SpecError(f"layout {shown}: lists or tables are nested too deeply to be read") from None
    findings = Findings(locate(text, shown))
    layout = _layout(Node(raw, (), findings), path.stem, hashlib.sha256(content).hexdigest())
    if findings.problems:
        raise SpecError(*findings.in_order())
    return layout


def known_layouts() -> tuple[str, ...]:
    """The layouts that come with the package."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def _found(name_or_path: str, folder: Path) -> tuple[Path, str]:
    """The file, and the name that messages use: never the folder it lies in."""
    if name_or_path in known_layouts():
        return _FOLDER / f"{name_or_path}.toml", f"{name_or_path}.toml"
    path = folder / name_or_path
    if ("/" in name_or_path or name_or_path.endswith(".toml")) and path.is_file():
        return path, path.name
    known = known_layouts()
    meant = did_you_mean(name_or_path.removesuffix(".toml"), known)
    word = "file" if "/" in name_or_path or name_or_path.endswith(".toml") else "layout"
    raise SpecError(
        f"there is no {word} '{Path(name_or_path).name}'{meant or '; there is ' + listed(known)}, "
        'or name a file of your own, such as layout = "my-layout.toml"'
    )


def _layout(root: Node, stem: str, sha256: str) -> Layout:
    version = root.text("version")
    name = root.text("name", default=stem)
    population, benefits = root.table("population"), root.table("benefits")
    by_name, states, assumed = _benefit_codes(benefits)
    layout = Layout(
        name=name,
        version=version,
        population=_population(population),
        benefits=BenefitsLayout(
            person=benefits.text("person"),
            week=_pattern(benefits, "week", needs=(("yyyy", "yy"), ("ww",))) or Pattern("?"),
            visit=_pattern(benefits, "visit", needs=(("yyyy", "yy"), ("q",)), optional=True),
            match=_pattern(benefits, "match", needs=(("yyyy", "yy"), ("q",)), optional=True),
            codes=frozenset().union(*by_name.values()),
            none=frozenset(code for low, high in benefits.ranges("none") for code in range(low, high + 1)),
        ),
        hours=_hours(root.table("hours")),
        education=_education(root.table("education")) if root.has("education") else None,
        benefits_by_name=by_name,
        states=states,
        readiness=_codes(benefits.table("readiness"), READINESS),
        bridge=_codes(benefits.table("bridge", optional=True), READINESS),
        limits=_limits(root.table("limits", optional=True)),
        assumed=assumed,
        sha256=sha256,
    )
    for node in (benefits, root):
        node.nothing_else()
    return layout


def _population(node: Node) -> PopulationLayout:
    origin = node.table("origin", optional=True)
    layout = PopulationLayout(
        person=node.text("person"),
        municipality=node.text("municipality"),
        born=node.text("born"),
        sex=node.text("sex"),
        sexes=_codes(node.table("sexes"), ("man", "woman")),
        origin=origin.text("column") if node.has("origin") else None,
        origins=_distinct(origin, {key: origin.codes(key) for key in ("danish", "western", "non_western", "foreign")}),
        country=origin.optional_text("country"),
        western_countries=origin.codes("western_countries"),
        year=node.optional_text("year"),
        file_year=_pattern(node, "file_year", needs=(("yyyy", "yy"),), optional=True),
    )
    if layout.year is None and layout.file_year is None:
        node.wrong("", "one of 'year' (a column) and 'file_year' (a pattern such as \"*{yyyy}*\") is needed")
    origin.nothing_else()
    node.nothing_else()
    return layout


def _education(node: Node) -> EducationLayout:
    levels: list[tuple[int, int, str]] = []
    table = node.table("levels")
    table.only(LEVELS)
    for level in LEVELS:
        levels += [(low, high, level) for low, high in table.ranges(level)]
    levels.sort()
    for (_, high, one), (low, _, other) in itertools.pairwise(levels):
        if low <= high:
            table.wrong(other, f"code {low} is in '{one}' as well; a code can mean one level only")
    layout = EducationLayout(
        person=node.text("person"),
        level=node.text("level"),
        levels=tuple(levels),
        file_year=_pattern(node, "file_year", needs=(("yyyy", "yy"),), optional=True),
    )
    node.nothing_else()
    return layout


def _hours(node: Node) -> HoursLayout:
    layout = HoursLayout(
        person=node.text("person"),
        job=node.texts("job"),
        date=node.optional_text("date"),
        year=node.optional_text("year"),
        month=node.optional_text("month"),
        hours=node.text("hours"),
        reported=node.optional_text("reported"),
        reported_values=node.codes("reported_values"),
        kind=node.optional_text("kind"),
        kinds=_codes(node.table("kinds", optional=True), KINDS),
    )
    if layout.date is None and (layout.year is None or layout.month is None):
        node.wrong("", "'date' is needed, or 'year' and 'month'")
    if layout.reported is not None and not layout.reported_values:
        node.wrong("reported", "'reported_values' is needed beside 'reported': the codes that mean reported hours")
    if layout.kind is not None and not any(layout.kinds.values()):
        node.wrong(
            "kind", "[hours.kinds] is needed beside 'kind': which codes are ordinary hours, fleksjob and wage subsidy"
        )
    node.nothing_else()
    return layout


def _limits(node: Node) -> Limits:
    limits = Limits(
        row_hours=node.whole("row_hours", 9998),
        month_hours=node.whole("month_hours", 250),
        year_hours=node.whole("year_hours", 2080),
        implausible_share=node.share("implausible_share", 0.01),
        unknown_share=node.share("unknown_share", 0.01),
    )
    node.nothing_else()
    return limits


def _benefit_codes(node: Node) -> tuple[dict[str, frozenset[int]], dict[str, frozenset[int]], tuple[str, ...]]:
    """Codes by name, codes by state, and the rows that are assumed; a code belongs to one row."""
    by_name: dict[str, set[int]] = {}
    states: dict[str, set[int]] = {state: set() for state in STATES}
    owner: dict[int, str] = {}
    assumed: list[str] = []
    rows = node.tables("code")
    for row in rows:
        name = row.text("name")
        codes = {code for low, high in row.ranges("codes", needed=True) for code in range(low, high + 1)}
        twice = sorted(codes & owner.keys())
        if twice:
            row.wrong(
                "codes", f"code {twice[0]} belongs to '{owner[twice[0]]}' already; a code can mean one benefit only"
            )
        owner.update(dict.fromkeys(codes, name))
        by_name.setdefault(name, set()).update(codes)
        for state in row.texts("states", choices=STATES):
            states.setdefault(state, set()).update(codes)
        if row.flag("assumed"):
            assumed.append(f"{name}: {', '.join(str(code) for code in row.shown('codes'))}")
        row.nothing_else()
    return (
        {name: frozenset(codes) for name, codes in by_name.items()},
        {state: frozenset(codes) for state, codes in states.items()},
        tuple(assumed),
    )


def _codes(node: Node, names: Iterable[str]) -> Codes:
    """Canonical name -> codes, for a table whose keys are `names`."""
    names = tuple(names)
    node.only(names)
    return _distinct(node, {name: node.codes(name) for name in names if node.has(name)})


def _distinct(node: Node, codes: dict[str, frozenset[str]]) -> Codes:
    """The same codes, after a code that stands under two names was refused."""
    owner: dict[str, str] = {}
    for name, values in codes.items():
        for value in sorted(values):
            if value in owner:
                node.wrong(
                    name, f"code \"{value}\" stands under '{owner[value]}' as well; a code can mean one thing only"
                )
            owner.setdefault(value, name)
    return MappingProxyType(codes)


def _pattern(node: Node, key: str, needs: tuple[tuple[str, ...], ...], optional: bool = False) -> Pattern | None:
    """A pattern that holds one of each group of `needs`, or None where it is left out."""
    text = node.optional_text(key) if optional else node.text(key)
    if text is None or not text:
        return None
    fields = re.findall(r"\{(\w*)\}", text)
    wrong = [field for field in fields if not any(field in group for group in needs)]
    if wrong:
        allowed = listed([f"{{{field}}}" for group in needs for field in group])
        node.wrong(key, f"{{{wrong[0]}}} has no meaning here; this pattern may hold {allowed}")
        return None
    for group in needs:
        if sum(field in group for field in fields) != 1:
            node.wrong(key, f"this pattern needs {' or '.join(f'{{{field}}}' for field in group)} in it, once")
            return None
    return Pattern(text)


def _century(year: int) -> int:
    """Two digits of a year: the benefit register begins in 1991."""
    return 1900 + year if year >= 91 else 2000 + year


__all__ = [
    "BenefitsLayout",
    "EducationLayout",
    "HoursLayout",
    "Layout",
    "Limits",
    "Pattern",
    "PopulationLayout",
    "known_layouts",
    "read_layout",
]
