"""The table [plan] of a spec: what `evaluate SPEC --plan` looks ahead to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictFloat, StrictInt

from evaluation.spec.base import Number, Table

Size = Annotated[Number, Field(gt=0)]
Count = Annotated[StrictInt, Field(ge=1)]


class PlanTable(Table):
    """What `evaluate SPEC --plan` looks ahead to, for a programme that has not started."""

    effect: Size | tuple[Size, ...] = Field(
        default=(), description="effects one would want to find, in the outcome's unit: a number or a list"
    )
    power: StrictFloat = Field(
        default=0.8, ge=0.5, le=0.99, description="how often they should be found, as a share between 0.5 and 0.99"
    )
    periods: tuple[Count, ...] = Field(
        default=(), description="numbers of periods after the start to consider (default: 1, 2, 3 and 4)"
    )
    persons: tuple[Count, ...] = Field(
        default=(),
        description="numbers of persons in the treated unit (default: half as many as it has, as many, and twice as many)",
    )
    controls: tuple[Count, ...] = Field(
        default=(), description="numbers of control units (default: all there are, half of them and a quarter)"
    )

    @property
    def effects(self) -> tuple[float, ...]:
        """The effects, from the smallest."""
        given = self.effect if isinstance(self.effect, tuple) else (self.effect,)
        return tuple(sorted({float(each) for each in given}))
