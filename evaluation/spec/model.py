"""What a spec may say. The field descriptions are the editor's help, the schema's text and part of the messages.

Numbers and booleans are strict (the text "0.9" is not a number), unknown keys are refused, and parts that are described
in the design but not built are refused by the reader with "not available yet", never ignored.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import Field, Strict, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from evaluation.periods import parse_period
from evaluation.spec.base import Language, LocalText, Number, OpenTable, PeriodText, Table, Where
from evaluation.spec.cycle_tables import CycleTable
from evaluation.spec.measures import words_of
from evaluation.spec.plan_table import PlanTable


class Data(Table):
    """A ready panel: one row per unit and period."""

    path: StrictStr = Field(description="the data file, or a glob of several, relative to the spec")
    unit: StrictStr = Field(description="the column that names the unit")
    time: StrictStr = Field(description="the column that names the period")
    outcome: StrictStr = Field(description="the column of the outcome")
    size: StrictStr | None = Field(default=None, description="the column of persons behind each cell")
    noise: StrictStr | None = Field(default=None, description="the column of the sampling variance of each cell mean")
    cluster: StrictStr | None = Field(
        default=None, description="the column of the level at which treatment was assigned"
    )
    region: StrictStr | None = Field(default=None, description="the column of the region a unit lies in")
    covariates: tuple[StrictStr, ...] = Field(default=(), description="columns of covariates")
    where: Where = Field(default_factory=dict, description="keep only rows in which these columns hold these values")
    areas: Literal["municipality", "landsdel", "region", "nation"] | None = Field(
        default=None,
        description="`unit` holds Danish areas of many levels (StatBank files do): keep these, under Danish names",
    )
    periods: tuple[PeriodText, PeriodText] | None = Field(
        default=None, description="use only these periods, [first, last]"
    )
    format: Literal["csv", "parquet", "arrow", "excel", "stata", "sas", "spss"] | None = Field(
        default=None, description="the file's format, where its name does not tell"
    )
    encoding: StrictStr | None = Field(default=None, description="the text encoding, where it is not found out rightly")
    delimiter: StrictStr | None = Field(
        default=None, description="the field separator, where it is not found out rightly"
    )
    decimal: Literal[".", ","] | None = Field(
        default=None, description="the decimal mark, where it is not found out rightly"
    )
    sheet: StrictStr | None = Field(default=None, description="the sheet of an Excel workbook (default: the first)")
    public: StrictBool = Field(default=False, description="true: published statistics, so disclosure control is off")
    synthetic: StrictBool = Field(default=False, description="true: made-up data; the page says so at its top")
    source: LocalText = Field(default="", description="the source line printed under figures")
    outcome_label: LocalText | None = Field(
        default=None, description="the outcome in words (default: the column's name)"
    )
    outcome_unit: LocalText = Field(default="", description="the outcome's unit, e.g. percentage points")
    unit_label: LocalText | None = Field(default=None, description='what a unit is, e.g. "municipality"')
    unit_label_plural: LocalText | None = Field(default=None, description='several of them, e.g. "municipalities"')
    decimals: StrictInt = Field(default=2, ge=0, le=6, description="decimals of the outcome on the page")
    better: Literal["higher", "lower", "neither"] = Field(
        default="higher", description="which direction of the outcome the programme hoped for"
    )


Measure: TypeAlias = Literal[
    "annual_hours",
    "any_hours",
    "hours_if_any",
    "stable_employment",
    "self_support",
    "education",
    "fleksjob",
    "disability_pension",
    "on_benefit",
]
BalanceCovariate: TypeAlias = Literal["age", "sex", "origin", "education", "benefit_years", "hours_before"]


class Who(Table):
    """Which persons are followed."""

    benefit: StrictStr = Field(default="kontanthjælp", description="the benefit they receive, a name of the layout")
    readiness: StrictStr | None = Field(
        default="aktivitetsparat", description="their referral category, a name of the layout"
    )
    age: tuple[StrictInt, StrictInt] = Field(default=(18, 64), description="their age at baseline, [youngest, oldest]")
    baseline: PeriodText = Field(description="the month at whose end they are found, e.g. 2014-12")
    design: Literal["cohort", "stock"] = Field(
        default="cohort",
        description="cohort: those found at baseline are followed backwards and forwards; stock: those found each December, "
        "and their outcome in the next year",
    )
    weeks: StrictInt = Field(
        default=4, ge=1, le=13, description="on the benefit in at least one of this many weeks before the baseline"
    )
    bridge: StrictBool = Field(
        default=True, description="before 2014: match groups stand in for referral categories, as the layout maps them"
    )
    movers: Literal["keep", "drop"] = Field(
        default="keep",
        description="keep: who moves stays with the municipality of the baseline; drop: leave movers out",
    )
    where: StrictStr = Field(
        default="", description="a further condition on the persons, e.g. \"sex == 'woman' and age >= 30\""
    )


class Outcome(Table):
    """What is measured for each person and period."""

    measure: Measure = Field(default="annual_hours", description="the outcome of the headline")
    also: tuple[Measure, ...] = Field(default=(), description="further outcomes, counted into the same cells")
    kinds: tuple[Literal["ordinary", "fleksjob", "subsidised"], ...] | Literal["all"] = Field(
        default=("ordinary",), description='kinds of paid hours that count, or "all"'
    )
    reported_only: StrictBool = Field(default=False, description="true: imputed hours do not count")
    cap: Number | None = Field(default=None, gt=0, description="hours of a person and year are cut off here")
    frequency: Literal["year", "quarter", "window"] = Field(
        default="year", description="calendar years, quarters, or windows of twelve months counted from the baseline"
    )


class Balance(Table):
    """How control persons are weighted to look like the treated ones at baseline."""

    method: Literal["none", "entropy", "propensity", "nearest"] = Field(
        default="entropy", description="how the weights are found"
    )
    covariates: tuple[BalanceCovariate, ...] = Field(
        default=("age", "sex", "origin", "education", "benefit_years", "hours_before"), description="what is balanced"
    )


class OtherGroup(Table):
    """Other persons in the same municipalities, followed by the same outcome; for the rest they are as [register.who] says."""

    label: LocalText = Field(description="the group in words, in the plural")
    benefit: StrictStr = Field(description="the benefit they receive at the baseline, a name of the layout")
    readiness: StrictStr | None = Field(
        default=None, description="their referral category, a name of the layout (default: any)"
    )
    age: tuple[StrictInt, StrictInt] | None = Field(
        default=None, description="their age at baseline, [youngest, oldest] (default: as in [register.who])"
    )
    until: PeriodText | None = Field(
        default=None, description="the last period in which the programme cannot have reached them (default: all)"
    )


class Register(Table):
    """Person registers: who, which outcome, in which files."""

    layout: StrictStr = Field(default="statistics-denmark", description="a layout's name, or the path of one's own")
    population: StrictStr = Field(description="files of the population register (residence by year), a path or glob")
    benefits: StrictStr = Field(description="files of the benefit register (DREAM), a path or glob")
    hours: StrictStr = Field(description="files of the register of paid hours (BFL), a path or glob")
    education: StrictStr | None = Field(
        default=None, description="files of the education register (UDDA), if there are"
    )
    engine: Literal["duckdb", "pyspark"] = Field(default="duckdb", description="what reads the registers")
    periods: tuple[StrictInt, StrictInt] = Field(description="first and last calendar year of the outcome")
    memory: StrictStr | None = Field(
        default=None, description='the most memory to use, e.g. "2GB" (default: by the machine)'
    )
    synthetic: StrictBool = Field(default=False, description="true: made-up registers; the page says so at its top")
    source: LocalText = Field(default="", description="the source line printed under figures")
    who: Who
    outcome: Outcome = Outcome()
    balance: Balance = Balance()
    negative_group: tuple[OtherGroup, ...] = Field(
        default=(), description="groups that the programme cannot have reached, to see whether it seems to move them"
    )
    second_group: OtherGroup | None = Field(
        default=None, description="a group that the programme did not reach, for a triple difference"
    )


Scenario: TypeAlias = Literal[
    "null",
    "effect",
    "null_with_local_upswing",
    "effect_with_downturn",
    "null_with_composition",
    "null_with_reform",
    "effect_with_spillover",
    "effect_fading",
    "anticipation",
    "four_municipalities",
]
LEAST_PERSONS, MOST_PERSONS = 5_000, 20_000_000


class Simulate(Table):
    """The synthetic register: written to the folder of the registers when it is not there yet."""

    scenario: Scenario = Field(default="effect", description="what is made to happen")
    persons: StrictInt = Field(
        default=70_000, ge=LEAST_PERSONS, le=MOST_PERSONS, description="persons in the benefit register"
    )
    folder: StrictStr = Field(default="registers", description="the folder the files go to, relative to the spec")
    seed: StrictInt = Field(default=860, ge=0, description="the seed of the register; not the seed of the evaluation")


class Treatment(Table):
    """Who was treated, and from when."""

    units: tuple[StrictStr, ...] = Field(default=(), description="the treated units")
    start: PeriodText | None = Field(default=None, description="the first treated period")
    starts: dict[StrictStr, PeriodText] = Field(
        default_factory=dict,
        description="instead of units and start, where they differ: { unit = first treated period }",
    )
    start_column: StrictStr | None = Field(
        default=None,
        description="instead of units and start: the column with each unit's first treated period (0 or empty: never)",
    )
    window: tuple[PeriodText, PeriodText] | None = Field(
        default=None,
        description="the periods the headline effect averages over, [first, last] (default: all after the start)",
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The treated units that are named; none where a column says who they are."""
        return tuple(self.starts) or self.units

    @property
    def first(self) -> PeriodText | None:
        """The first treated period of whoever began first; None where a column says it."""
        return min(self.starts.values(), key=parse_period) if self.starts else self.start

    def start_of(self, name: str) -> PeriodText | None:
        """The first treated period of a named unit."""
        return self.starts.get(name, self.start)


class Controls(Table):
    """Which units may serve as comparison."""

    only: tuple[StrictStr, ...] = Field(default=(), description="use only these units as controls")
    exclude: tuple[StrictStr, ...] = Field(default=(), description="units that may not serve as controls")
    exclude_reason: LocalText = Field(default="", description="why they were left out; printed on the page")
    reasons: dict[StrictStr, LocalText] = Field(
        default_factory=dict, description="the reason for each excluded unit by name"
    )


class Headline(OpenTable):
    """The estimator that was declared, before looking, to give the answer. Further keys are its options."""

    method: StrictStr = Field(description="the estimator's name")


class EstimatorTable(OpenTable):
    """One more estimator beside the headline. Further keys are its options."""

    name: StrictStr = Field(description="the estimator's name")
    inference: StrictStr | None = Field(
        default=None, description="the inference for this estimator (default: the one of [inference])"
    )


class InferenceTable(Table):
    """How uncertainty is stated."""

    method: StrictStr = Field(default="default", description="the inference method; `default` is chosen by the design")
    level: StrictFloat = Field(default=0.95, gt=0.5, lt=1.0, description="the level of the intervals")


class TargetGroupTable(Table):
    """Whom the programme was meant for: with it the page can say how large an effect this outcome could show at all."""

    name: LocalText = Field(description="the group in words, in the plural")
    persons: Number = Field(gt=0, description="how many persons the programme was meant for")
    population: Number = Field(gt=0, description="how many persons the outcome is measured on")
    effect: tuple[Number, Number] = Field(description="the effect per person that is claimed or hoped for, [low, high]")
    effect_unit: LocalText = Field(description="the unit of that effect, e.g. hours a year")
    scale: Number = Field(default=1.0, description="outcome units per unit of that effect, if everybody had it")
    source: LocalText = Field(default="", description="where these numbers come from")


class SecondaryTable(Table):
    """A further outcome, or the outcome among a group: estimated as the headline is, its p-value adjusted for how many there are."""

    label: LocalText = Field(description="the outcome or the group in words, in the plural where it is a group")
    outcome: StrictStr | None = Field(default=None, description="with [data]: another column of the same file")
    measure: Measure | None = Field(default=None, description="with [register]: another measure of the same persons")
    where: StrictStr | Where | None = Field(
        default=None,
        description='a group: with [data] rows, { sex = "women" }; with [register] a condition on the persons, "age < 30"',
    )
    outcome_unit: LocalText | None = Field(default=None, description="the unit of `outcome` (default: as in [data])")
    decimals: StrictInt | None = Field(
        default=None, ge=0, le=6, description="decimals of `outcome` on the page (default: as in [data])"
    )
    better: Literal["higher", "lower", "neither"] | None = Field(
        default=None, description="which direction of `outcome` the programme hoped for (default: as in [data])"
    )

    @property
    def kind(self) -> Literal["outcome", "group"]:
        """Which family it belongs to: a group, also where another outcome is looked at in it."""
        return "outcome" if self.where is None else "group"


class Claim(Table):
    """An effect that others have published, drawn beside ours and never mixed with it."""

    label: LocalText = Field(description="who says so, in a few words")
    low: Number = Field(description="the lower end of what they say, in the outcome's unit")
    high: Number = Field(description="the upper end; the same as low for a single number")
    source: LocalText = Field(default="", description="where it was published")


class Event(Table):
    """Something that happened: a thin line in the figures."""

    period: PeriodText = Field(description="when")
    label: LocalText = Field(description="what, in a few words")


class DisclosureTable(Table):
    """Thresholds for what may be published from data that are not public."""

    minimum: StrictInt = Field(
        default=5, ge=3, description="the smallest number of persons a published cell may rest on"
    )
    round: StrictInt = Field(default=1, ge=1, description="counts of persons are rounded to a multiple of this")


class Spec(Table):
    """A whole evaluation."""

    title: LocalText | None = Field(default=None, description="the report's title")
    question: LocalText = Field(description="the question the report answers")
    languages: tuple[Language, ...] = Field(default=("en",), min_length=1, description="one page per language")
    seed: StrictInt = Field(default=1, ge=0, description="the seed of everything that draws at random")
    declared: Annotated[datetime.date, Strict()] | StrictStr | None = Field(
        default=None,
        description='the date on which this spec was fixed, before anybody looked at outcomes: "2026-11-20"',
    )
    commissioned_by: LocalText = Field(default="", description="who asked for the evaluation; printed on page one")
    funding: LocalText = Field(default="", description="who paid for it; printed on page one")
    data: Data = Field(description="a ready panel; instead of [register]")
    registers: Register | None = Field(
        default=None, alias="register", description="person registers; instead of [data]"
    )
    simulate: Simulate | None = None
    treatment: Treatment
    controls: Controls = Controls()
    cycle: CycleTable = CycleTable()
    headline: Headline
    estimator: tuple[EstimatorTable, ...] = Field(
        default=(), description="further estimators, shown beside the headline"
    )
    secondary: tuple[SecondaryTable, ...] = Field(
        default=(),
        description="further outcomes and groups beside the primary outcome, which is the one of the headline",
    )
    inference: InferenceTable = InferenceTable()
    target_group: TargetGroupTable | None = None
    claim: tuple[Claim, ...] = ()
    event: tuple[Event, ...] = ()
    disclosure: DisclosureTable = DisclosureTable()
    plan: PlanTable | None = None

    @model_validator(mode="before")
    @classmethod
    def _panel_of_registers(cls, raw: Any) -> Any:
        """Registers make the panel themselves: its columns and labels are filled in, so that all else reads one [data]."""
        register = raw.get("register") if isinstance(raw, dict) else None
        if not isinstance(register, dict) or "data" in raw:
            return raw
        return {**raw, "data": _data_of(register, "simulate" in raw)}


def _data_of(register: dict[str, Any], simulated: bool) -> dict[str, Any]:
    outcome = register.get("outcome")
    asked = outcome if isinstance(outcome, dict) else {}
    measure, frequency = asked.get("measure", "annual_hours"), asked.get("frequency", "year")
    known = measure in get_args(Measure) and frequency in ("year", "quarter", "window")
    words = words_of(measure, frequency) if known else words_of("annual_hours", "year")
    return {
        "path": "registers",
        "unit": "municipality",
        "time": "period",
        "outcome": measure if known else "annual_hours",
        "size": "persons",
        "noise": "noise",
        "areas": "municipality",
        "synthetic": simulated or register.get("synthetic") is True,
        "source": register.get("source", ""),
        "outcome_label": words.label,
        "outcome_unit": words.unit,
        "unit_label": {"da": "kommune", "en": "municipality"},
        "unit_label_plural": {"da": "kommuner", "en": "municipalities"},
        "decimals": words.decimals,
        "better": words.better,
    }


NOT_AVAILABLE_YET: dict[str, str] = {
    "economics": "costs and benefits",
}
"""Keys of the design whose part is not built: refused by name, so that nobody believes they took effect."""
