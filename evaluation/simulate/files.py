"""The synthetic register as Parquet files in the layout of the Danish registers (BEF, DREAM, BFL, UDDA).

Parts of the register are appended as they are drawn, so memory does not grow with the number of persons. Every file says in its
metadata that it is synthetic; none says which scenario it is. Files appear under their names when all are complete.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.special import ndtri

from evaluation._version import __version__
from evaluation.simulate.benefits import (
    FLEKSJOB,
    MATCH_QUARTERS,
    SUBSIDY,
    VISIT_QUARTERS,
    WEEKS,
    match_group,
    referral,
    weekly_codes,
)
from evaluation.simulate.cycle import YEARS, Economy
from evaluation.simulate.parameters import Parameters
from evaluation.simulate.register import Part
from evaluation.simulate.streams import Array, IntArray, keyed, stream

LABEL = b"SYNTHETIC: made-up persons, drawn by a program; none of them exists"
_METADATA = {b"SYNTHETIC": LABEL, b"made_by": f"nettoeffekt {__version__}".encode()}
_TEXT = pa.dictionary(pa.int32(), pa.string())

BEF = pa.schema(
    [
        ("PNR", pa.string()),
        ("KOM", _TEXT),
        ("FOED_DAG", pa.date32()),
        ("KOEN", pa.int8()),
        ("IE_TYPE", pa.int8()),
        ("OPR_LAND", pa.int16()),
    ],
    metadata=_METADATA,
)
UDDA = pa.schema([("PNR", pa.string()), ("HFAUDD", pa.int16())], metadata=_METADATA)
DREAM = pa.schema(
    [
        ("PNR", pa.string()),
        *((f"Y_{year % 100:02d}{week:02d}", pa.int32()) for year, week, _ in WEEKS),
        *((f"VISIT_{quarter}KV{year}", pa.int32()) for year, quarter in VISIT_QUARTERS),
        *((f"MATCH_{quarter}KV{year}", pa.int32()) for year, quarter in MATCH_QUARTERS),
    ],
    metadata=_METADATA,
)
BFL = pa.schema(
    [
        ("PNR", pa.string()),
        ("AJO_JOB_ID", pa.string()),
        ("AJO_JOB_START_DATO", pa.date32()),
        ("AJO_JOB_SLUT_DATO", pa.date32()),
        ("AJO_LOENTIMER", pa.float64()),
        ("AJO_LOENTIME_KODE", pa.int8()),
        ("AJO_INDKOMST_ART_KODE", pa.int8()),
        ("AJO_ARB_KOMKODE", _TEXT),
    ],
    metadata=_METADATA,
)
ORDINARY, FLEKSJOB_KIND, SUBSIDISED = 1, 2, 3
BFL_YEARS = tuple(year for year in YEARS if year >= 2008)


class Writers:
    """The open files of one register. A context manager: on leaving without an error the files take their names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = {
            **{f"bef{year}": folder / "bef" / f"bef{year}.parquet" for year in YEARS},
            **{f"bfl{year}": folder / "bfl" / f"bfl{year}.parquet" for year in BFL_YEARS},
            "dream": folder / "dream.parquet",
            "udda": folder / "udda.parquet",
        }
        self._open: dict[str, Any] = {}

    def __enter__(self) -> Writers:
        for name, path in self.paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            schema = {"bef": BEF, "bfl": BFL, "dre": DREAM, "udd": UDDA}[name[:3]]
            self._open[name] = pq.ParquetWriter(
                _unfinished(path), schema, compression="snappy", write_statistics=name != "dream"
            )
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        for writer in self._open.values():
            writer.close()
        for path in self.paths.values():
            if kind is None:
                os.replace(_unfinished(path), path)
            else:
                _unfinished(path).unlink(missing_ok=True)

    def append(self, name: str, table: Any) -> None:
        """Add rows to one file."""
        self._open[name].write_table(table)


def write_part(writers: Writers, parameters: Parameters, economy: Economy, part: Part, seed: int) -> None:
    """Append one part of the register to all files."""
    people = part.people
    person = pa.array([f"S{number:09d}" for number in people.number])
    names = pa.array([area.code for area in economy.areas])
    base = pa.table(
        [
            person,
            pa.array(people.birth),
            pa.array(people.sex, pa.int8()),
            pa.array(np.where(people.origin > 0, 2, 1), pa.int8()),
            pa.array(people.country, pa.int16()),
        ],
        names=["PNR", "FOED_DAG", "KOEN", "IE_TYPE", "OPR_LAND"],
    )
    for place, year in enumerate(YEARS):
        here = np.flatnonzero(part.present[:, place])
        rows = base.take(pa.array(here))
        living = pa.DictionaryArray.from_arrays(pa.array(people.residence[here, place], pa.int32()), names)
        columns = [living if field.name == "KOM" else rows[field.name] for field in BEF]
        writers.append(f"bef{year}", pa.table(columns, schema=BEF))
    writers.append("udda", pa.table([person, pa.array(people.education, pa.int16())], schema=UDDA))
    writers.append("dream", _dream(parameters, part, person, seed))
    rows = _job_months(parameters, part, seed)
    imputed = _imputed_share(parameters, economy, seed)
    for year in BFL_YEARS:
        writers.append(f"bfl{year}", _bfl(parameters, part, rows, person, names, imputed, year, seed))


def _dream(parameters: Parameters, part: Part, person: Any, seed: int) -> Any:
    weeks = weekly_codes(parameters, part.people, part.codes, seed)
    quarters = sorted({*VISIT_QUARTERS, *MATCH_QUARTERS})
    category = {
        quarter: referral(parameters, part.people, part.state, part.codes, quarter, seed) for quarter in quarters
    }
    visit = np.array([category[quarter] for quarter in VISIT_QUARTERS])
    match = np.array([match_group(part.people, category[quarter], seed) for quarter in MATCH_QUARTERS])
    columns = [person, *_or_null(weeks), *_or_null(visit), *_or_null(match)]
    return pa.table(columns, schema=DREAM)


def _or_null(rows: NDArray[Any]) -> list[Any]:
    """One column for each row of codes, null where the code is 0; built from bits at once, as there are hundreds."""
    valid = np.packbits(rows != 0, axis=1, bitorder="little")
    values = np.ascontiguousarray(rows, dtype=np.int32)
    return [
        pa.Array.from_buffers(pa.int32(), rows.shape[1], [pa.py_buffer(bits), pa.py_buffer(row)])
        for bits, row in zip(valid, values, strict=True)
    ]


def _job_months(parameters: Parameters, part: Part, seed: int) -> dict[str, IntArray]:
    """True rows, one per person, job and month: place of the person, month, job (1 or 2), kind, hundredths of hours."""
    month, who = np.nonzero(part.hours)
    value = part.hours[month, who].astype(np.int64)
    number = part.people.number[who]
    two = keyed(seed, "two jobs", number, month // 12) < parameters.number("hours.two_jobs")
    second = np.where(two, (2 * value) // 5, 0)
    extra = np.flatnonzero(second > 0)
    flex_month, flex = np.nonzero(part.codes == FLEKSJOB)
    flex_hours = 100 * parameters.number("hours.fleksjob_month")
    flex_value = flex_hours * (0.6 + 0.8 * keyed(seed, "fleksjob hours", part.people.number[flex], flex_month // 12))
    paid_month, paid = np.nonzero(part.subsidised & (part.codes == SUBSIDY))
    columns = {
        "who": (who, who[extra], flex, paid),
        "month": (month, month[extra], flex_month, paid_month),
        "job": (np.ones(len(who)), np.full(len(extra), 2), np.full(len(flex), 3), np.full(len(paid), 4)),
        "kind": (
            np.full(len(who) + len(extra), ORDINARY),
            np.full(len(flex), FLEKSJOB_KIND),
            np.full(len(paid), SUBSIDISED),
        ),
        "value": (value - second, second[extra], np.rint(flex_value), np.full(len(paid), 11_000)),
    }
    rows = {name: np.concatenate(parts).astype(np.int64) for name, parts in columns.items()}
    order = np.lexsort((rows["job"], rows["month"], rows["who"]))
    return {name: column[order] for name, column in rows.items()}


def _imputed_share(parameters: Parameters, economy: Economy, seed: int) -> Array:
    """(municipalities,) share of rows without a report."""
    low, high = parameters.numbers("measurement.imputed")
    return stream(seed, "imputed share").uniform(low, high, len(economy.areas))


def _bfl(
    parameters: Parameters,
    part: Part,
    rows: dict[str, IntArray],
    person: Any,
    names: Any,
    imputed: Array,
    year: int,
    seed: int,
) -> Any:
    """One year of job rows as they were registered, with what goes wrong in registers."""
    here = np.flatnonzero(rows["month"] // 12 == YEARS.index(year))
    who, month, job, kind, value = (rows[name][here] for name in ("who", "month", "job", "kind", "value"))
    people = part.people
    keys = (people.number[who], month, job)

    def happens(name: str, share: float | Array) -> NDArray[np.bool_]:
        return keyed(seed, name, *keys) < share

    guessed = happens("imputed", imputed[people.place[who]])
    sd = parameters.number("measurement.imputed_log_sd")
    error = np.exp(sd * ndtri(keyed(seed, "imputation error", *keys)) - sd**2 / 2)
    value = np.where(guessed, np.maximum(np.rint(value * error), 1), value).astype(np.int64)
    corrected = happens("correction", parameters.number("measurement.corrections"))
    wrong = np.where(corrected, value + np.maximum(value // 2, 1), value)
    doubled = happens("duplicate", parameters.number("measurement.duplicates"))
    if year == YEARS[-1]:
        late = np.zeros(12)
        late[9:] = parameters.numbers("measurement.late")
        arrived = ~happens("late", late[month % 12])
    else:
        arrived = np.ones(len(who), dtype=np.bool_)
    place = np.flatnonzero(arrived)
    fixes, copies = place[corrected[place]], place[doubled[place]]
    index = np.concatenate([place, fixes, copies])
    amount = np.concatenate([wrong[place], value[fixes] - wrong[fixes], wrong[copies]])
    order = np.argsort(index, kind="stable")
    index, amount = index[order], amount[order]

    first = (np.array(YEARS)[month[index] // 12] - 1970) * 12 + month[index] % 12
    begins = first.astype("datetime64[M]").astype("datetime64[D]")
    ends = (first + 1).astype("datetime64[M]").astype("datetime64[D]") - np.timedelta64(1, "D")
    who = who[index]
    number = person.take(pa.array(who))
    letters = pa.array(["", "A", "B", "F", "L"]).take(pa.array(job[index]))
    lives = people.residence[who, YEARS.index(year)]
    # most work where they live, the others in one place of the same landsdel or further away
    elsewhere = np.floor(len(names) * keyed(seed, "workplace", people.number[who], job[index])).astype(np.int64)
    away = keyed(seed, "commutes", people.number[who], job[index]) < 0.3
    return pa.table(
        [
            number,
            pc.binary_join_element_wise(number, letters, "-"),
            pa.array(begins),
            pa.array(ends),
            pa.array(amount / 100.0),
            pa.array(np.where(guessed[index], 0, 1), pa.int8()),
            pa.array(kind[index], pa.int8()),
            pa.DictionaryArray.from_arrays(pa.array(np.where(away, elsewhere, lives), pa.int32()), names),
        ],
        schema=BFL,
    )


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + ".unfinished")
