"""The tables below [cycle]: outside series, neighbours, industries, reforms, and what the programme cannot have moved."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import Field, StrictBool, StrictStr

from evaluation.spec.base import LocalText, OpenTable, PeriodText, Table, Where

Level: TypeAlias = Literal["municipality", "landsdel", "region", "nation"]
FilterName: TypeAlias = Literal["none", "hp", "hamilton", "baxter_king", "christiano_fitzgerald"]


class Reading(Table):
    """How a file beside the panel is read, where that is not found out."""

    where: Where = Field(default_factory=dict, description="keep only rows in which these columns hold these values")
    decimal: Literal[".", ","] | None = Field(
        default=None, description="the file's decimal mark, where it is not found out rightly"
    )
    sheet: StrictStr | None = Field(default=None, description="the sheet of an Excel workbook (default: the first)")


class CycleSeries(Reading):
    """One outside series of the business cycle."""

    path: StrictStr = Field(description="the file of the series, relative to the spec")
    name: StrictStr | None = Field(
        default=None, description="what it is called, in lower case (default: the file's name without its ending)"
    )
    label: LocalText | None = Field(default=None, description="the series in words (default: its name)")
    value_unit: LocalText = Field(default="", description="the unit of its values, e.g. per cent of the labour force")
    unit: StrictStr | None = Field(default=None, description="the column of the area (default: found out)")
    time: StrictStr | None = Field(default=None, description="the column of the period (default: found out)")
    value: StrictStr | None = Field(default=None, description="the column of the values (default: found out)")
    level: Level | None = Field(
        default=None,
        description="the level of its areas; a coarser one is given to every unit in it (default: that of the panel's units)",
    )
    filter: FilterName = Field(
        default="none", description="keep only the cyclical part of the series; the outcome is never filtered"
    )
    negative_control: StrictBool = Field(
        default=False, description="true: the programme cannot have moved it, so it is also tested as an outcome"
    )


class Neighbours(Reading):
    """Who is whose neighbour, by how many commute."""

    path: StrictStr = Field(
        description="the file: home, workplace and how many commute, or pairs that border on each other"
    )
    home: StrictStr | None = Field(default=None, description="the column of the home (default: found out)")
    work: StrictStr | None = Field(default=None, description="the column of the workplace (default: found out)")
    flow: StrictStr | None = Field(default=None, description="the column of how many commute (default: found out)")
    time: StrictStr | None = Field(default=None, description="the column of the period (default: found out)")


class Rings(Table):
    """The surroundings of the treated unit, to see whether an effect spilled over."""

    first: tuple[StrictStr, ...] = Field(default=(), description="the units that border on the treated one")
    second: tuple[StrictStr, ...] | None = Field(
        default=None, description="the units a step further (default: the rest of the treated unit's region)"
    )


class Shares(Reading):
    """Local demand as the industries of the place predict it: their shares before, and how each grew elsewhere."""

    employment: StrictStr | None = Field(
        default=None, description="the file of employment by unit, industry and period; gives shares and growth"
    )
    shares: StrictStr | None = Field(
        default=None, description="instead of employment: the file of shares by unit and industry"
    )
    growth: StrictStr | None = Field(
        default=None, description="with shares: the file of growth in per cent by industry and period, for the nation"
    )
    base: PeriodText | None = Field(
        default=None,
        description="the period of the shares, before the programme (default: the last before the first start)",
    )
    unit: StrictStr | None = Field(default=None, description="the column of the area (default: found out)")
    industry: StrictStr | None = Field(default=None, description="the column of the industry (default: found out)")
    time: StrictStr | None = Field(default=None, description="the column of the period (default: found out)")
    value: StrictStr | None = Field(default=None, description="the column of the values (default: found out)")


class Policy(Reading):
    """A reform that hit the units unequally."""

    name: StrictStr = Field(description="what it is called, in lower case")
    path: StrictStr = Field(description="the file of the share of persons it hit, by unit: 0 to 1, or per cent")
    start: PeriodText = Field(description="the first period in which it was in force")
    label: LocalText | None = Field(default=None, description="the reform in words (default: its name)")
    unit: StrictStr | None = Field(default=None, description="the column of the area (default: found out)")
    time: StrictStr | None = Field(
        default=None, description="the column of the period, averaged over (default: found out)"
    )
    value: StrictStr | None = Field(default=None, description="the column of the share (default: found out)")


class NegativeControlTable(Reading):
    """An outcome that the programme cannot have moved."""

    name: StrictStr = Field(description="what it is called, in lower case")
    path: StrictStr = Field(description="the file of that outcome by unit and period")
    label: LocalText | None = Field(default=None, description="the outcome in words (default: its name)")
    value_unit: LocalText = Field(default="", description="its unit")
    outcome: StrictStr | None = Field(default=None, description="the column of its values (default: found out)")
    unit: StrictStr | None = Field(default=None, description="the column of the area (default: found out)")
    time: StrictStr | None = Field(default=None, description="the column of the period (default: found out)")
    until: PeriodText | None = Field(
        default=None, description="the last period in which the programme cannot have moved it (default: all)"
    )


class Group(Table):
    """Controls that are left out together, to see whether the answer hinges on them."""

    name: StrictStr = Field(description="what the group is called on the page")
    units: tuple[StrictStr, ...] = Field(description="the controls in it")


class SecondGroup(Reading):
    """The same outcome for persons in the same units whom the programme did not reach, for a triple difference."""

    path: StrictStr = Field(description="the file of the outcome by unit and period")
    outcome: StrictStr | None = Field(default=None, description="the column of the outcome (default: found out)")
    unit: StrictStr | None = Field(default=None, description="the column of the area (default: found out)")
    time: StrictStr | None = Field(default=None, description="the column of the period (default: found out)")


class CycleTable(OpenTable):
    """How the business cycle is taken out, and the outside series that show it. Further keys are options of the adjustment."""

    adjust: StrictStr = Field(default="none", description="the headline's adjustment for the business cycle")
    adjust_series: StrictStr | tuple[StrictStr, ...] | None = Field(
        default=None, description="which of the series the adjustment uses (default: as the adjustment says)"
    )
    series: StrictStr | tuple[CycleSeries, ...] = Field(
        default=(), description="outside series of the business cycle: the path of one, or [[cycle.series]] for each"
    )
    neighbours: StrictStr | Neighbours | None = Field(
        default=None,
        description="the file that says who is whose neighbour: commuting, or pairs that border on each other",
    )
    rings: Rings | None = None
    shares: Shares | None = None
    policy: tuple[Policy, ...] = Field(default=(), description="reforms that hit the units unequally")
    negative_control: tuple[NegativeControlTable, ...] = Field(
        default=(), description="outcomes that the programme cannot have moved"
    )
    group: tuple[Group, ...] = Field(
        default=(), description="groups of controls that are left out together in the audit"
    )
    second_group: SecondGroup | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The further keys, and `adjust_series` under the name that the adjustments have for it."""
        return options_of(self.model_extra or {}, self.adjust_series)


OWN_KEYS = frozenset(CycleTable.model_fields)
"""The keys of [cycle] that are no options of an adjustment."""


def options_of(extra: dict[str, Any], adjust_series: Any = None) -> dict[str, Any]:
    """The adjustment's options: `series` is taken by the files in [cycle], so the choice among them is `adjust_series`."""
    chosen = {} if adjust_series is None else {"series": adjust_series}
    return {**{key: value for key, value in extra.items() if key not in OWN_KEYS}, **chosen}
