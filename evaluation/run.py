"""The whole flow: spec, data, panel, adjust∘fit, inference, checks, verdict, Result. Start reading here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.errors import EstimationError
from evaluation.spec.catalogue import Catalogue
from evaluation.spec.loaded import LoadedSpec

if TYPE_CHECKING:
    from evaluation.checking import Found, Second
    from evaluation.further import Further
    from evaluation.panel import Panel
    from evaluation.prepare import Prepared
    from evaluation.result import CheckResult, Cycle, Failure, Population, Result
    from evaluation.study import Study

Progress = Callable[[str, str], None]


def catalogue() -> Catalogue:
    """Every estimator, inference, adjustment and check there is."""
    from evaluation.checks import CHECKS
    from evaluation.cycle import ADJUSTMENTS
    from evaluation.estimators import ESTIMATORS
    from evaluation.inference import INFERENCES

    return Catalogue(estimators=ESTIMATORS, inferences=INFERENCES, adjustments=ADJUSTMENTS, checks=CHECKS)


def load_spec(path: str | Path) -> LoadedSpec:
    """Read and judge a spec; raises SpecError with everything that is wrong, each at its line and column."""
    from evaluation.spec.reader import read_spec

    return read_spec(Path(path), catalogue())


def evaluate(
    spec_or_path: LoadedSpec | str | Path,
    *,
    progress: Progress | None = None,
    seed: int | None = None,
    pages: bool = False,
) -> Result:
    """Run a whole evaluation.

    Parameters
    ----------
    spec_or_path : LoadedSpec or path
        What to evaluate.
    progress : callable, optional
        Called with a stage and a line of text as the run goes on.
    seed : int, optional
        Instead of the spec's.
    pages : bool
        Pages will be written afterwards: what draws their figures starts in a process of its own while this one computes,
        and another one takes a share of the audit.

    Raises
    ------
    SpecError, DataError, EstimationError, DisclosureError
        The spec is wrong, the data do not fit it, the headline cannot be estimated, nothing may be published.
    """
    loaded = spec_or_path if isinstance(spec_or_path, LoadedSpec) else load_spec(spec_or_path)
    if seed is not None:
        loaded = replace(loaded, spec=loaded.spec.model_copy(update={"seed": seed}))
    judge_publication(loaded)
    from evaluation.checking import second_process

    if pages:
        from evaluation.report import converter

        converter.warm_up()
    with second_process(wanted=pages) as second:
        result = _evaluated(loaded, progress or (lambda stage, text: None), second)
    if pages:
        converter.warm_up(2)
    return result


def _evaluated(loaded: LoadedSpec, say: Progress, second: Second | None) -> Result:
    """From the spec to the Result that may be published."""
    from evaluation import disclosure, provenance
    from evaluation.design import defaults_used, describe
    from evaluation.families import estimate_all
    from evaluation.result import Disclosure, Published, Result, texts
    from evaluation.verdict import judge

    spec = loaded.spec
    say(
        "Spec",
        f"{loaded.path.name}, {_count(1 + len(spec.estimator), 'estimator')}, {_count(len(catalogue().checks), 'check')}",
    )
    prepared, population, further = panel_of(loaded, say)
    say("Data", data_line(prepared))
    study, failures = _study(loaded, prepared, say)
    record = provenance.record(loaded, prepared.inputs, defaults_used(spec))
    study = replace(study, record=record, flow=prepared.flow, population=population)
    families = estimate_all(further, study, spec, say)
    checks, cycle, broken = _checked(study, say, second)
    headline = replace(study.headline, notes=(*study.headline.notes, *prepared.notes))
    result = Result(
        title=texts(spec.title or spec.question, spec.languages),
        question=texts(spec.question, spec.languages),
        languages=spec.languages,
        design=describe(spec, prepared.panel, prepared.exclusions),
        headline=headline,
        estimates=study.estimates,
        cycle=cycle,
        checks=checks,
        verdict=judge(headline, study.estimates, checks, [each.name for each in failures], cycle.ladder),
        provenance=record,
        disclosure=Disclosure(spec.data.public, spec.disclosure.minimum, spec.disclosure.round),
        flow=prepared.flow,
        failures=(*failures, *families.failures, *broken),
        commissioned_by=texts(spec.commissioned_by, spec.languages) if spec.commissioned_by else {},
        funding=texts(spec.funding, spec.languages) if spec.funding else {},
        population=population,
        published=tuple(
            Published(
                float(claim.low),
                float(claim.high),
                texts(spec.data.outcome_unit, spec.languages),
                texts(claim.label, spec.languages),
                texts(claim.source, spec.languages) if claim.source else {},
            )
            for claim in spec.claim
        ),
        secondary=families.secondary,
        primary=families.primary,
    )
    return disclosure.protect(
        result,
        public=spec.data.public,
        minimum=spec.disclosure.minimum,
        base=spec.disclosure.round,
        sizes_known=prepared.panel.size is not None,
        small=_small_units(prepared.panel, spec.disclosure.minimum),
    )


def panel_of(loaded: LoadedSpec, say: Progress) -> tuple[Prepared, Population | None, tuple[Further, ...]]:
    """The panel: read as it is, or made of persons' registers (which are simulated first where the spec says so).

    Beside it those of secondary outcomes and groups, from the same reading. The outside series of the business cycle are then
    brought to the panel's units and periods.
    """
    from evaluation.series import attach

    if loaded.spec.registers is None:
        from evaluation.further import prepare_all

        prepared, further = prepare_all(loaded)
        return attach(loaded, prepared), None, further
    from evaluation.register import flow

    _simulated(loaded, say)
    registered = flow.prepare(loaded, say)
    return attach(loaded, registered.prepared), registered.population, registered.further


def _simulated(loaded: LoadedSpec, say: Progress) -> None:
    asked = loaded.spec.simulate
    if asked is None:
        return
    from evaluation.simulate import place

    folder = loaded.folder / asked.folder
    place.ensure(folder, scenario=asked.scenario, persons=asked.persons, seed=asked.seed, say=say)


def _study(loaded: LoadedSpec, prepared: Prepared, say: Progress) -> tuple[Study, tuple[Failure, ...]]:
    """The headline and the estimates beside it; only a headline that fails stops the run."""
    from evaluation.by_design import reason
    from evaluation.inference import INFERENCES
    from evaluation.power import power_line, with_power
    from evaluation.result import Failure, texts
    from evaluation.study import Fitted, Study, fit_pipeline, make_pipeline

    spec, panel = loaded.spec, prepared.panel
    level, adjust, how = spec.inference.level, spec.cycle.adjust, spec.cycle.options
    pipeline = make_pipeline(spec.headline.method, adjust, options_of(spec.headline.options, spec.data.outcome), how)
    first = fit_pipeline(pipeline, panel, spec.inference.method, level, spec.seed)
    first = replace(first, estimate=with_power(first.estimate, panel))
    told = power_line(first.estimate, texts(spec.data.outcome_unit, spec.languages))
    if told is not None:
        say("Power", told)  # before the estimate: what this comparison could find at all
    say("Headline", f"{first.estimate.method}, {first.estimate.inference}{reason(first.estimate.details)}")
    fitted: list[Fitted] = []
    failures: list[Failure] = []
    for table in spec.estimator:
        try:
            other = make_pipeline(table.name, adjust, options_of(table.options, spec.data.outcome), how)
            fitted.append(fit_pipeline(other, panel, table.inference or spec.inference.method, level, spec.seed))
        except EstimationError as error:
            failures.append(Failure("estimator", table.name, tuple(problem.what for problem in error.problems)))
            say("Failed", f"{table.name}: {failures[-1].problems[0]}")
    if fitted:
        say("Estimates", ", ".join(f"{each.estimate.method}" for each in fitted))
    inference = INFERENCES[first.estimate.inference]
    estimates = tuple(each.estimate for each in fitted)
    made = Study(
        panel,
        pipeline,
        inference,
        first.estimate,
        estimates,
        level,
        spec.seed,
        prepared.context,
        fitted=(first, *fitted),
    )
    return made, tuple(failures)


def _checked(
    study: Study, say: Progress, second: Second | None
) -> tuple[tuple[CheckResult, ...], Cycle, tuple[Failure, ...]]:
    """Every check of the comparison; how much the cycle was, in several ways; and the auditor's attempts to break that."""
    from evaluation.checking import audit, run_checks
    from evaluation.checks import CHECKS

    checks: dict[str, Found] = {}

    def account() -> Cycle:
        checks.update(run_checks(CHECKS, CHECKS, study))
        _tally("Checks", checks, say)
        return _account(study, say)

    cycle, audited = audit(study, account, second)
    _tally("Audit", audited, say)
    failures = [failure for _, failure in (*checks.values(), *audited.values()) if failure is not None]
    cycle = replace(cycle, audit=tuple(result for result, _ in audited.values()))
    return tuple(result for result, _ in checks.values()), cycle, tuple(failures)


def _account(study: Study, say: Progress) -> Cycle:
    """The ladder, the waterfall and what a bad control would cost."""
    from evaluation.accounting.bad_control import bad_control
    from evaluation.accounting.ladder import ladder
    from evaluation.accounting.waterfall import waterfall
    from evaluation.result import Cycle, Value

    rungs = ladder(study)
    terms = study.headline.details.get("adjustment")
    known: dict[str, Value] = dict(terms) if isinstance(terms, dict) else {}
    effects = [rung.effect for rung in rungs if rung.effect is not None and rung.status == "valid"]
    if len(effects) > 1:
        say("Cycle", f"{len(effects)} ways of taking it out, effects from {min(effects):.4g} to {max(effects):.4g}")
    return Cycle(
        study.headline.adjust, rungs, waterfall(study), terms=known, series=study.context.series,
        bad_control=bad_control(study, rungs), notes=study.context.notes,
    )  # fmt: skip


def _tally(stage: str, found: Mapping[str, Found], say: Progress) -> None:
    """One line: how many passed, and which did not."""
    counted = {
        status: [each.id for each, _ in found.values() if each.status == status]
        for status in ("passed", "warns", "failed", "not_run")
    }
    said = [f"{len(names)} {status.replace('_', ' ')}" for status, names in counted.items() if names]
    doubtful = [*counted["failed"], *counted["warns"]]
    if said:
        say(stage, ", ".join(said) + (f": {', '.join(doubtful)}" if doubtful else ""))


def options_of(raw: Mapping[str, Any], outcome: str) -> dict[str, Any]:
    """The options as estimators know them: a predictor that names the outcome's column means the outcome."""
    options = dict(raw)
    predictors = options.get("predictors")
    if isinstance(predictors, list | tuple):
        options["predictors"] = [
            {**each, "column": "outcome"} if isinstance(each, dict) and each.get("column") == outcome else each
            for each in predictors
        ]
    return options


def _small_units(panel: Panel, minimum: int) -> tuple[str, ...]:
    if panel.size is None:
        return ()
    import numpy as np

    below = np.asarray((np.nan_to_num(panel.size, nan=np.inf) < minimum).any(axis=1))
    return tuple(name for name, small in zip(panel.units, below, strict=True) if small)


def judge_publication(loaded: LoadedSpec) -> None:
    """Refuse, before anything is computed, data of which it is not known whether they may be published."""
    from evaluation.errors import DisclosureError

    data = loaded.spec.data
    if not data.public and data.size is None:
        what = "the data are not said to be public, and no column says how many persons are behind each cell; write "
        remedy = "`public = true` if they are published statistics, or name that column as `size`"
        raise DisclosureError(loaded.locator.problem(("data",), what + remedy, at="key"))


def plan(loaded: LoadedSpec) -> list[tuple[str, str]]:
    """What a run would do, for `--check`: reads the data, fits each estimator once, and estimates how long it takes."""
    import time

    from evaluation.by_design import by_design, reason
    from evaluation.families import kinds
    from evaluation.further import prepare_all
    from evaluation.series import attach, check_for_registers, series_line
    from evaluation.study import make_pipeline

    spec = loaded.spec
    judge_publication(loaded)
    if spec.registers is not None:
        from evaluation.register import flow

        lines = flow.check(loaded) + kinds(spec.secondary)
        simulated = spec.simulate
        if simulated is None or (loaded.folder / simulated.folder).exists():
            lines += check_for_registers(loaded)
        return lines
    prepared = attach(loaded, prepare_all(loaded)[0])
    lines = [("Data", data_line(prepared)), *series_line(prepared)]
    controls = prepared.panel.n_units - int(prepared.panel.treated.sum())
    seconds = 3.0 + 1.5 * len(spec.languages)  # imports; figures and words of each page
    tables = [("Headline", spec.headline.method, spec.headline.options, spec.inference.method)]
    tables += [
        ("Estimator", table.name, table.options, table.inference or spec.inference.method) for table in spec.estimator
    ]
    for stage, name, options, inference in tables:
        pipeline = make_pipeline(name, spec.cycle.adjust, options_of(options, spec.data.outcome), spec.cycle.options)
        choice = by_design(pipeline, prepared.panel) if inference == "default" else None
        try:
            pipeline(prepared.panel)
            # the first fit also imports what it needs; the second takes as long as every further one
            started = time.perf_counter()
            pipeline(prepared.panel)
        except EstimationError as error:
            lines.append((stage, f"{name} cannot be computed: {error.problems[0].what}"))
            continue
        # the inference refits once per control; checks, ladder and auditor together look at the headline some 35 times as often
        refits = 35.0 + len(spec.secondary) if stage == "Headline" else 1.0
        seconds += refits * controls * (time.perf_counter() - started)
        told = inference if choice is None else choice.name + reason(choice.details)
        lines.append((stage, f"{name}, inference {told}"))
    lines += kinds(spec.secondary)
    lines.append(("Checks", ", ".join(catalogue().checks)))
    lines.append(("Time", f"about {max(1, round(seconds))} s"))
    return lines


def data_line(prepared: Prepared) -> str:
    """The panel in one line: "94 units × 14 periods, 1 treated from 2015, balanced"."""
    import numpy as np

    panel = prepared.panel
    missing = int((~np.isfinite(panel.outcome)).sum())
    starts = ", ".join(panel.periods[start].label for start in panel.starts)
    filled = "balanced" if missing == 0 else f"{missing} of {panel.outcome.size} cells missing"
    return (
        f"{panel.n_units} units × {panel.n_periods} periods, {int(panel.treated.sum())} treated from {starts}, {filled}"
    )


def sentences(result: Result, language: str) -> list[str]:
    """The answer in three sentences."""
    from evaluation.report.sentences import answer

    return answer(result, language)


def simulate(
    folder: Path,
    *,
    scenario: str,
    persons: int = 70_000,
    seed: int = 860,
    force: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write a synthetic register; see `evaluation.simulate.place.write`."""
    from evaluation.simulate import place

    place.write(folder, scenario=scenario, persons=persons, seed=seed, force=force, say=progress)


def inputs_of(loaded: LoadedSpec) -> tuple[Path, ...]:
    """What a run of this spec reads: the spec and the data files that are there."""
    from evaluation.readers import files_of
    from evaluation.series import files_of_series

    beside = tuple(path for name in files_of_series(loaded) for path in files_of(loaded.folder / name))
    if loaded.spec.registers is None:
        return (loaded.path, *files_of(loaded.folder / loaded.spec.data.path), *beside)
    from evaluation.register.files import register_files

    return (loaded.path, *register_files(loaded.spec.registers, loaded.folder), *beside)


def check_places(folder: Path, name: str, **keywords: Any) -> None:
    """Refuse places that may not be written to; see `evaluation.output.check_places`."""
    from evaluation import output

    output.check_places(folder, name, **keywords)


def read_result(path: Path) -> Result:
    """Read a Result back from its file; see `evaluation.output.read_result`."""
    from evaluation import output

    return output.read_result(path)


def write(
    result: Result,
    folder: Path,
    name: str,
    *,
    force: bool = False,
    languages: tuple[str, ...] | None = None,
    inputs: tuple[Path, ...] = (),
    audit: bool = False,
) -> tuple[Path, ...]:
    """Write pages, JSON and CSV files; see `evaluation.output.write`."""
    from evaluation import output

    return output.write(result, folder, name, force=force, languages=languages, inputs=inputs, audit=audit)


def left_over(written: tuple[Path, ...]) -> tuple[Path, ...]:
    """Pages of earlier runs beside those written; see `evaluation.output.left_over`."""
    from evaluation import output

    return output.left_over(written)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
