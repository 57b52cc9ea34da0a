"""The command `evaluate`. The only file that prints or exits.

Progress and problems go to standard error, the answer to standard output. Whatever is slow to import is imported where it is
used, so that `--help` is quick and `--check` needs nothing that draws.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from evaluation._version import __version__
from evaluation.errors import EvaluationError, Problem, StrictError, UsageError, did_you_mean
from evaluation.help import HELP
from evaluation.shown import escaped

if TYPE_CHECKING:
    from evaluation.spec.loaded import LoadedSpec

LANGUAGES = ("da", "en")
MOST_SHOWN = 50
"""Problems shown of one run; more would only scroll the first ones away."""

# what may stand beside each thing the command can do
_ALLOWED = {
    "evaluate": {"output", "json", "strict", "audit", "quiet", "language", "seed", "force"},
    "check": {"quiet", "language", "seed"},
    "plan": {"json", "quiet", "language", "seed"},
    "init": {"quiet", "force"},
    "methods": set(),
    "schema": set(),
    "render": {"output", "audit", "quiet", "language", "force"},
    "simulate": {"scenario", "persons", "seed", "quiet", "force"},
    "version": set(),
    "help": None,
}


@click.command(add_help_option=False)
@click.argument("words", nargs=-1)
@click.option("--init")
@click.option("--render")
@click.option("--simulate")
@click.option("--scenario")
@click.option("--persons")
@click.option("--output")
@click.option("--language")
@click.option("--seed")
@click.option("--methods", is_flag=True)
@click.option("--schema", is_flag=True)
@click.option("--check", is_flag=True)
@click.option("--plan", is_flag=True)
@click.option("--json", is_flag=True)
@click.option("--strict", is_flag=True)
@click.option("--audit", is_flag=True)
@click.option("--quiet", is_flag=True)
@click.option("--force", is_flag=True)
@click.option("--version", is_flag=True)
@click.option("-h", "--help", is_flag=True)
def command(words: tuple[str, ...], **options: Any) -> int:
    """Do the one thing that was asked for, and return the exit code."""
    given = {name: value for name, value in options.items() if value not in (None, False)}
    asked = _asked(words, given)
    doing: dict[str, Callable[[], int]] = {
        "help": lambda: _print(HELP),
        "version": lambda: _print(f"nettoeffekt {__version__}"),
        "methods": lambda: _methods(words),
        "schema": _schema,
        "init": lambda: _init(given),
        "simulate": lambda: _simulate(given),
        "render": lambda: _render(given),
        "check": lambda: _check(words[0], given),
        "plan": lambda: _plan(words[0], given),
        "evaluate": lambda: _evaluate(words[0], given),
    }
    return doing[asked]()


def main() -> NoReturn:
    """The entry point of `evaluate`."""
    # figures are many small objects that live until the end: collecting a hundred times less often saves a tenth of the time
    gc.set_threshold(100_000, 50, 50)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command with these arguments and return its exit code; nothing escapes as a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without "ø" or "×" still gets an answer
    spec = next((word for word in arguments if word.endswith(".toml")), "")
    try:
        with command.make_context("evaluate", list(arguments)) as context:
            code: int = command.invoke(context)
        return code
    except click.UsageError as error:
        return _failed(UsageError(_usage(error)), spec)
    except EvaluationError as error:
        return _failed(error, spec)
    except BrokenPipeError:
        return 0  # whoever was reading has read enough
    except KeyboardInterrupt as error:
        _tell(str(error) or "interrupted; nothing was written")
        return 130
    except Exception as error:  # noqa: BLE001 - the last door: a bug is said in two lines, with no values of the data
        return _unforeseen(error)


# ---- what was asked for


def _asked(words: tuple[str, ...], given: dict[str, Any]) -> str:
    """The one thing to do; everything that does not go together is refused at once."""
    if "help" in given:
        return "help"
    modes = [name for name in ("version", "init", "methods", "schema", "render", "simulate") if name in given]
    if len(modes) > 1:
        raise UsageError(f"{' and '.join(f'--{name}' for name in modes)} do not go together; give one of them")
    if not modes and not words:
        raise UsageError("no spec was given: `evaluate SPEC`, or `evaluate --init NAME` to write a first one")
    if not modes and len(words) > 1:
        raise UsageError(f"one spec at a time, but {len(words)} words were given: {', '.join(words)}")
    if modes and words and modes != ["methods"]:
        raise UsageError(f"--{modes[0]} takes no spec; leave out {' '.join(words)}")
    if len(words) > 1:
        raise UsageError(f"--methods takes one name, but {len(words)} were given: {', '.join(words)}")
    asked = modes[0] if modes else next((name for name in ("check", "plan") if name in given), "evaluate")
    refused = [name for name in given if name not in (asked, *(_ALLOWED[asked] or ()))]
    if refused:
        beside = f"--{asked}" if asked != "evaluate" else "a spec"
        raise UsageError(*(f"--{name} has no meaning with {beside}; leave it out" for name in refused))
    _judge_values(given)
    return asked


def _judge_values(given: dict[str, Any]) -> None:
    problems = []
    for name in ("seed", "persons"):
        if name in given and not (given[name].isascii() and given[name].isdigit()):
            problems.append(f"--{name} takes a whole number of at least 0, found '{given[name]}'")
    language = given.get("language")
    if language is not None and language not in LANGUAGES:
        hint = did_you_mean(language, LANGUAGES) or f"; choose from {' and '.join(LANGUAGES)}"
        problems.append(f"no language '{language}'{hint}")
    if problems:
        raise UsageError(*problems)


def _usage(error: click.UsageError) -> str:
    """click's complaints in our words."""
    options = [f"--{parameter.name}" for parameter in command.params if isinstance(parameter, click.Option)]
    if isinstance(error, click.NoSuchOption):
        return f"no option '{error.option_name}'{did_you_mean(error.option_name, options)}"
    if isinstance(error, click.BadOptionUsage):
        name = "--" + error.option_name.lstrip("-")
        takes = {
            "--init": "a name: --init jobs",
            "--render": "a file: --render reports/jobs.json",
            "--simulate": "a folder: --simulate registers",
        }
        if "does not take" in error.message:
            return f"{name} takes no value"
        return f"{name} needs {takes.get(name, 'a value behind it')}"
    return error.message[:1].lower() + error.message[1:].rstrip(".")


# ---- doing it


def _evaluate(path: str, given: dict[str, Any]) -> int:
    from evaluation import run as flow

    loaded = flow.load_spec(path)
    languages = _languages(given, loaded.spec.languages)
    seed = int(given["seed"]) if "seed" in given else None
    folder, inputs = Path(given.get("output", "reports")), flow.inputs_of(loaded)
    with _writing(folder):
        flow.check_places(
            folder,
            loaded.name,
            available=loaded.spec.languages,
            languages=languages,
            inputs=inputs,
            force="force" in given,
            audit="audit" in given,
        )
    result = flow.evaluate(loaded, progress=_progress(given), seed=seed, pages=True)
    with _writing(folder):
        written = flow.write(
            result,
            folder,
            loaded.name,
            force="force" in given,
            languages=languages,
            inputs=inputs,
            audit="audit" in given,
        )
    try:
        if "json" in given:
            from evaluation.result import to_json

            _out(to_json(result).encode())
        else:
            _answer(flow.sentences(result, (languages or result.languages)[0]), written, flow.left_over(written))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted, after everything was written to {folder}") from None
    failed = [check.id for check in (*result.checks, *result.cycle.audit) if check.status == "failed"]
    if failed and "strict" in given:
        raise StrictError(*(f"check '{name}' failed" for name in failed))
    return 0


def _check(path: str, given: dict[str, Any]) -> int:
    from evaluation import run as flow

    loaded = flow.load_spec(path)
    _languages(given, loaded.spec.languages)
    for stage, text in (("Spec", _spec_line(path, loaded)), *flow.plan(loaded)):
        _print(_line(stage, text, sys.stdout))
    return _print(f"\n{escaped(path)} is in order; nothing was written")


def _plan(path: str, given: dict[str, Any]) -> int:
    from evaluation import ahead
    from evaluation import run as flow

    loaded = flow.load_spec(path)
    languages = _languages(given, loaded.spec.languages) or loaded.spec.languages
    seed = int(given["seed"]) if "seed" in given else None
    plan = ahead.look_ahead(loaded, progress=_progress(given), seed=seed)
    if "json" in given:
        from evaluation.planning.plan import to_json

        return _out(to_json(plan).encode())
    return _print("\n".join(escaped(line) for line in ahead.plan_lines(plan, languages[0])))


def _render(given: dict[str, Any]) -> int:
    from evaluation import run as flow

    path = Path(given["render"])
    result = flow.read_result(path)
    languages = _languages(given, result.languages)
    folder = Path(given.get("output", path.parent))
    with _writing(folder):
        written = flow.write(
            result, folder, path.stem, force="force" in given, languages=languages, audit="audit" in given
        )
    _pages(written, flow.left_over(written))
    return 0


def _languages(given: dict[str, Any], available: Sequence[str]) -> tuple[str, ...] | None:
    language = given.get("language")
    if language is None:
        return None
    if language not in available:
        raise UsageError(
            f"--language {language}: the spec has texts in {' and '.join(available)} only; see its languages"
        )
    return (language,)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written to ({_reason(error)}); --output DIR writes elsewhere") from None


def _methods(words: tuple[str, ...]) -> int:
    from evaluation import run as flow
    from evaluation.spec import guide

    width = _width()
    lines = guide.page(flow.catalogue(), words[0], width) if words else guide.overview(flow.catalogue(), width)
    return _print("\n".join(lines))


def _schema() -> int:
    from evaluation import run as flow
    from evaluation.spec.schema import schema_text

    return _out(schema_text(flow.catalogue()).encode())


def _init(given: dict[str, Any]) -> int:
    from evaluation.spec.starter import write_starter

    try:
        spec, data = write_starter(given["init"], force="force" in given)
    except OSError as error:
        raise UsageError(f"{given['init']}: cannot be written ({_reason(error)})") from None
    if "quiet" not in given:
        name = escaped(str(spec))
        _print(f"{name}   a commented spec\n{escaped(str(data))}   made-up numbers for it to run on\n")
        _print(f"next: `evaluate {name}` runs it as it stands; then put your own data and units in, and")
        _print(f"`evaluate {name} --check` says what it would do with them")
    return 0


def _simulate(given: dict[str, Any]) -> int:
    from evaluation import run as flow

    folder, scenario = Path(given["simulate"]), given.get("scenario", "effect")
    numbers = {name: int(given[name]) for name in ("persons", "seed") if name in given}
    flow.simulate(folder, scenario=scenario, force="force" in given, progress=_progress(given), **numbers)
    return _print(f"{escaped(str(folder))}   synthetic registers in the layout 'statistics-denmark'; no real persons")


# ---- telling it


def _print(text: str) -> int:
    return _out(f"{text}\n")


def _out(content: str | bytes) -> int:
    """Standard output: the answer, so that one that cannot be given is an error."""
    if sys.stdout is None:
        raise UsageError("standard output is closed, so there is nowhere to write the answer")
    try:
        click.echo(content, nl=False)
    except BrokenPipeError:
        _abandon(sys.stdout)
        raise
    except OSError as error:
        _abandon(sys.stdout)
        raise UsageError(f"standard output cannot be written to ({_reason(error)})") from None
    return 0


def _tell(text: str) -> None:
    """Standard error: nobody may be listening, and the work goes on all the same."""
    if sys.stderr is None:
        return
    try:
        click.echo(text, err=True)
    except (OSError, ValueError):
        _abandon(sys.stderr)


def _abandon(stream: Any) -> None:
    """Let what is still waiting in a broken stream go nowhere; Python would complain about it at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _answer(sentences: Iterable[str], written: Sequence[Path], left_over: Sequence[Path]) -> None:
    for sentence in sentences:
        _print(escaped(sentence))
    _pages(written, left_over)


def _pages(written: Sequence[Path], left_over: Sequence[Path]) -> None:
    for path in written:
        if path.suffix == ".html":
            _print(f"{escaped(str(path))}   one file, opens offline")
    for path in left_over:
        _print(f"{escaped(str(path))}   of an earlier run, left as it was")


def _progress(given: dict[str, Any]) -> Callable[[str, str], None] | None:
    if "quiet" in given:
        return None
    return lambda stage, text: _tell(_line(stage, text, sys.stderr))


def _line(stage: str, text: str, stream: Any) -> str:
    return _styled(f"{stage:<10}", stream, bold=True) + f" {escaped(text)}"


def _spec_line(path: str, loaded: LoadedSpec) -> str:
    estimators = 1 + len(loaded.spec.estimator)
    return (
        f"{path}, {estimators} estimator{'s' if estimators > 1 else ''}, pages in {' and '.join(loaded.spec.languages)}"
    )


def _failed(error: EvaluationError, spec: str) -> int:
    """Each problem with its place and line, then how many there are, then what to do in general."""
    for problem in error.problems[:MOST_SHOWN]:
        _tell(_shown(problem) + "\n")
    if len(error.problems) > MOST_SHOWN:
        rest = len(error.problems) - MOST_SHOWN
        _tell(f"and {rest:,} more problem{'s' if rest > 1 else ''}\n")
    if len(error.problems) > 1:
        _tell(
            f"{len(error.problems)} problems"
            + (f" in {escaped(spec)}" if spec and not isinstance(error, UsageError) else "")
        )
    _tell(error.advice)
    return error.exit_code


def _shown(problem: Problem) -> str:
    where = _styled(f"{escaped(problem.where)}:", sys.stderr, bold=True) + " " if problem.where else ""
    quote = "\n" + _styled(escaped(problem.quote), sys.stderr, dim=True) if problem.quote else ""
    return f"{where}{escaped(problem.what)}{quote}"


def _unforeseen(error: Exception) -> int:
    """A bug: the kind of error and our line where it happened, never a value."""
    if os.environ.get("NETTOEFFEKT_TRACEBACK") == "1":
        import traceback

        _tell("".join(traceback.format_exception(error)))
    home = Path(__file__).parent
    place, frame = "", error.__traceback__
    while frame is not None:
        file = Path(frame.tb_frame.f_code.co_filename)
        if home in file.parents:
            place = f" at {file.relative_to(home.parent).as_posix()}:{frame.tb_lineno}"
        frame = frame.tb_next
    _tell(f"this was not foreseen: {type(error).__name__}{place}")
    _tell("report it together with the spec; with NETTOEFFEKT_TRACEBACK=1 the command says more")
    return EvaluationError.exit_code


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _styled(text: str, stream: Any, **style: bool) -> str:
    """Bold and dim on a terminal, plain text everywhere else."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or stream is None or not stream.isatty()
    return text if plain else click.style(text, **style)


def _width() -> int:
    import shutil

    return max(60, min(110, shutil.get_terminal_size((100, 24)).columns)) if sys.stdout and sys.stdout.isatty() else 100


if __name__ == "__main__":
    main()
