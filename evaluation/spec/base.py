"""What the tables of a spec are made of: strict tables, open tables, texts by language, numbers and periods."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr

Language: TypeAlias = Literal["da", "en"]
LocalText: TypeAlias = Annotated[
    StrictStr | dict[StrictStr, StrictStr],
    Field(description='a text, or one per language: { da = "...", en = "..." }'),
]
Number: TypeAlias = StrictInt | StrictFloat
PeriodText: TypeAlias = Annotated[StrictInt | StrictStr, Field(description="a period: 2015, 2015Q1 or 2015M01")]
Where: TypeAlias = dict[StrictStr, StrictStr | StrictInt | StrictFloat | tuple[StrictStr | StrictInt, ...]]


class Table(BaseModel):
    """A TOML table: no unknown keys, nothing changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OpenTable(BaseModel):
    """A TOML table whose further keys are the options of the method it names; they are checked against that method."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def options(self) -> dict[str, Any]:
        """The further keys."""
        return dict(self.model_extra or {})
