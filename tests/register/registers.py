"""Small registers of Python rows as the canonical tables, for either engine; the names are those of `Sources`."""

from __future__ import annotations

import narwhals as nw
import pyarrow as pa

from evaluation.spec.model import Register
from tests.register.twin import Asked, Rows

POPULATION = ("person", "year", "municipality", "birth_year", "birth_month", "sex", "origin")
HOURS = ("person", "job", "year", "month", "hours_100", "reported", "kind")
TEXTS = ("person", "municipality", "sex", "origin", "job", "kind", "education")


class SmallSources:
    """Canonical tables made from rows; `asked` notes which weeks and quarters were read."""

    def __init__(self, rows: Rows, layout, engine) -> None:
        self.rows, self.layout, self.engine = rows, layout, engine
        self.counters = {"hours_rows_implausible": 3}
        self.weeks_read: set = set()
        self.population = self._lazy(_table(POPULATION, rows.population))
        self.hours = self._lazy(_table(HOURS, rows.hours))
        self.education = self._lazy(_table(("person", "education"), list(rows.education.items())))

    def benefits(self, weeks, quarters, bridge=True):
        self.weeks_read.update(weeks)
        persons = sorted(self.rows.weeks)
        columns = {"person": pa.array(persons, pa.string())}
        for year, week in weeks:
            values = [self.rows.weeks[person].get((year, week)) for person in persons]
            columns[f"week_{year}_{week:02d}"] = pa.array(values, pa.int64())
        for year, quarter in quarters:
            for kind, known in (("visit", self.rows.visits), ("match", self.rows.matches if bridge else {})):
                values = [known.get(person, {}).get((year, quarter)) for person in persons]
                columns[f"{kind}_{year}_{quarter}"] = pa.array(values, pa.string())
        return self._lazy(pa.table(columns))

    def lacking(self, weeks, quarters, bridge=True) -> list[str]:
        """These registers hold every week and quarter."""
        return []

    def _lazy(self, table: pa.Table):
        if self.engine.name == "pyspark":
            return nw.from_native(self.engine.session.createDataFrame(table))
        return nw.from_native(self.engine.connection.from_arrow(table))


def register_of(asked: Asked, measures=("annual_hours",), where: str = "") -> Register:
    """The table [register] that asks for this."""
    return Register.model_validate(
        {
            "population": "p",
            "benefits": "b",
            "hours": "h",
            "periods": asked.periods,
            "who": {
                "baseline": f"{asked.baseline[0]}-{asked.baseline[1]:02d}",
                "design": asked.design,
                "age": asked.age,
                "readiness": asked.readiness,
                "weeks": asked.weeks,
                "bridge": asked.bridge,
                "movers": asked.movers,
                "where": where,
            },
            "outcome": {
                "measure": measures[0],
                "also": measures[1:],
                "kinds": asked.kinds,
                "reported_only": asked.reported_only,
                "cap": asked.cap,
                "frequency": asked.frequency,
            },
            "balance": {"covariates": asked.covariates},
        }
    )


def _table(names, rows) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pa.table(
        {
            name: pa.array(values, pa.string() if name in TEXTS else pa.bool_() if name == "reported" else pa.int64())
            for name, values in zip(names, columns, strict=True)
        }
    )
