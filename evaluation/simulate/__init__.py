"""The synthetic register: made-up persons in the layout of the Danish registers, with a known effect.

Every number behind it stands in `parameters.toml` with its basis. Scenarios of one seed share all random draws and differ in
outcomes only; the truth is written to a folder of its own, which nothing else in the package reads.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluation.simulate.cells import SimulatedCells
    from evaluation.simulate.people import Block

PERSONS_AT_ONCE = 15_000
"""Persons held in memory at a time: about 100 MB, twice."""

_SYNTHETIC = """\
SYNTHETIC: made-up persons, drawn by a program; none of them exists

These files look like the Danish registers DREAM, BFL, BEF and UDDA, with their columns and some of their
errors. No person, number, spell or hour in them is real, and none was derived from a real person's record.
The keys (S000000001 and so on) are no CPR numbers and cannot be mistaken for any.

They were made by nettoeffekt {version} with seed {seed} and {persons} persons, so that an evaluation can be
tried, and tested, where the right answer is known. Nothing about Denmark may be concluded from them.

bef/*.parquet    residents at the end of each year
dream.parquet    benefits by week, referral category and match group by quarter
bfl/*.parquet    paid hours by job and month
udda.parquet     highest education
series/*.csv     what would be public statistics, in the layout of StatBank
truth/*.csv      what was planted, for checking only: an evaluation that reads it evaluates nothing
"""


def simulate(
    folder: Path,
    *,
    scenario: str,
    persons: int = 70_000,
    seed: int = 860,
    say: Callable[[str, str], None] = lambda step, text: None,
    at_once: int = PERSONS_AT_ONCE,
) -> tuple[Path, ...]:
    """Write a synthetic register to a folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there. Files of an earlier synthetic register are written over.
    scenario : str
        One of `cycle.SCENARIOS`.
    persons : int
        Persons in the benefit register; 70,000 give a cohort of about 524 in Hjørring.
    seed : int
        Same seed, same version of the package and of its dependencies: same bytes.
    say : callable
        Told a step and a text as the work goes on.
    at_once : int
        Persons in memory at a time; does not change what is drawn, only the row groups of the files.

    Returns
    -------
    tuple of Path
        All files written.

    Raises
    ------
    DataError
        The folder holds register files that are not known to be synthetic, so nothing was written.
    SpecError
        There is no such scenario, or there are too few persons.
    """
    from concurrent.futures import ThreadPoolExecutor

    from evaluation._version import __version__
    from evaluation.errors import DataError, Problem, SpecError, did_you_mean
    from evaluation.simulate.cycle import SCENARIOS, economy
    from evaluation.simulate.files import Writers, write_part
    from evaluation.simulate.parameters import read_parameters
    from evaluation.simulate.people import blocks
    from evaluation.simulate.register import draw_part
    from evaluation.simulate.series import write_series
    from evaluation.simulate.truth import Totals, write_truth

    if scenario not in SCENARIOS:
        raise SpecError(
            f"no scenario '{scenario}'{did_you_mean(scenario, SCENARIOS)}; there are {', '.join(SCENARIOS)}"
        )
    if persons < 1_000:
        raise SpecError(f"{persons} persons are too few for 98 municipalities; ask for 1,000 or more")
    label = folder / "SYNTHETIC.md"
    writers = Writers(folder)
    there = [path.name for path in writers.paths.values() if path.exists()]
    if there and not label.exists():
        what = f"holds {len(there)} register files, and no SYNTHETIC.md that says they are made up; name another folder"
        raise DataError(Problem(f"folder '{folder.name}'", what))

    parameters = read_parameters()
    drawn = economy(parameters, scenario, persons, seed)
    totals = Totals()
    with writers, ThreadPoolExecutor(max_workers=1) as background:
        # first, so that no file of a run that was broken off lies there unlabelled
        label.write_text(_SYNTHETIC.format(version=__version__, seed=seed, persons=persons), encoding="utf-8")
        done, writing = 0, None
        for some in _together(blocks(drawn), at_once):
            part = draw_part(parameters, drawn, some, seed)
            totals.add(part, len(drawn.areas))
            # one part is written while the next is drawn: never more than two in memory
            if writing is not None:
                writing.result()
            writing = background.submit(write_part, writers, parameters, drawn, part, seed)
            done += len(part.people.number)
            say("Simulate", f"{done:,} of {persons:,} persons")
        if writing is not None:
            writing.result()
    series = write_series(folder / "series", parameters, drawn, seed)
    truth = write_truth(folder / "truth", parameters, drawn, totals, persons, seed)
    return (*writers.paths.values(), label, *series, *truth)


def add_series(folder: Path, *, scenario: str, persons: int, seed: int) -> tuple[Path, ...]:
    """Write the series that a synthetic register does not have yet (an earlier version wrote fewer); the others stay."""
    from evaluation.simulate.cycle import economy
    from evaluation.simulate.parameters import read_parameters
    from evaluation.simulate.series import absent, write_series

    parameters = read_parameters()
    drawn = economy(parameters, scenario, persons, seed)
    return write_series(folder / "series", parameters, drawn, seed, only=absent(folder / "series"))


def simulate_cells(scenario: str, seed: int, persons: int = 70_000) -> SimulatedCells:
    """The same register drawn directly as means by municipality and year, in milliseconds: for studies over many seeds."""
    from evaluation.simulate.cells import draw_cells

    return draw_cells(scenario, seed, persons)


def _together(drawn: tuple[Block, ...], at_once: int) -> list[list[Block]]:
    """Neighbouring blocks together, up to so many persons; a larger block alone."""
    parts: list[list[Block]] = []
    held = 0
    for block in drawn:
        if not parts or held + block.persons > at_once:
            parts.append([])
            held = 0
        parts[-1].append(block)
        held += block.persons
    return parts
