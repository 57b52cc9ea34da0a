"""What can go wrong, what to do about it, and the exit code each kind of failure has.

A class docstring here is the general advice that the command prints under the problems: the usual cause and the remedy.
Problems are collected and raised together, so that one run shows all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it is, what it is, and (for a spec) the line it stands on."""

    where: str
    what: str
    quote: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n{self.quote}" if self.quote else text


class EvaluationError(Exception):
    """This was not foreseen. Report it together with the spec."""

    exit_code = 1

    def __init__(self, *problems: Problem | str) -> None:
        self.problems: tuple[Problem, ...] = tuple(
            problem if isinstance(problem, Problem) else Problem("", problem) for problem in problems
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @property
    def advice(self) -> str:
        """The general advice of this kind of failure, on one line."""
        return " ".join((type(self).__doc__ or "").split())


class UsageError(EvaluationError):
    """`evaluate --help` shows the whole command on one page."""

    exit_code = 2


class SpecError(EvaluationError):
    """Nothing was read or written. Mend the lines above; `evaluate SPEC --check` looks again without computing anything."""

    exit_code = 3


class DataError(EvaluationError):
    """Nothing was written. The spec could be read, but the data do not fit it; the counts above say how often."""

    exit_code = 4


class EstimationError(EvaluationError):
    """The data are in order, but this estimator cannot be computed from them. `evaluate --methods NAME` says what it needs."""

    exit_code = 5


class DisclosureError(EvaluationError):
    """Nothing may be published under the disclosure rules of the spec, so nothing was written."""

    exit_code = 6


class StrictError(EvaluationError):
    """The report was written; with --strict a failed check also fails the command."""

    exit_code = 7


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that `word` most likely meant, or None when none is close; case and Danish letters are forgiven."""
    known = list(choices)
    folded = {_fold(choice): choice for choice in known}
    if _fold(word) in folded:
        return folded[_fold(word)]
    match = difflib.get_close_matches(_fold(word), list(folded), n=1, cutoff=0.6)
    return folded[match[0]] if match else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """The clause "; did you mean 'x'?" for a word that is close to a choice, else an empty string."""
    choice = nearest(word, choices)
    return f"; did you mean '{choice}'?" if choice is not None else ""


def listed(words: Sequence[str], most: int = 6) -> str:
    """Names as a short list in prose: "a, b and c", or "a, b, c and 12 more"."""
    if not words:
        return "none"
    shown = list(words[:most])
    rest = len(words) - len(shown)
    if rest:
        return f"{', '.join(shown)} and {rest} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _fold(word: str) -> str:
    """Lower case without Danish letters, so that 'Hjorring' and 'beskaeftigelse' find their words."""
    folded = word.casefold().replace("æ", "ae").replace("å", "aa").replace("ø", "o").replace("oe", "o")
    return folded.replace("-", "_")
