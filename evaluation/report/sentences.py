"""Sentences, chosen by facts: pure functions from a Result to what the page and the terminal say.

Every sentence is a phrase with slots in `words/`; nothing is glued together from parts of speech. The answer never says
"no effect": an interval that holds zero says what cannot be told, and what size the data speak against.
"""

from __future__ import annotations

import math
from pathlib import PurePath

from evaluation.report import facts
from evaluation.report.words import Words, capital, load
from evaluation.result import Estimate, Note, Result, Value
from evaluation.verdict import FEW_TREATED


def answer(result: Result, language: str) -> list[str]:
    """The answer in three lines: what was found, how large it is, how sure one can be."""
    words, result = load(language), facts.readable(result)
    found = [headline_sentence(result, words), opposite_sentence(result, words)]
    size = [size_sentence(result, words), doubt_sentence(result, words)]
    return [" ".join(filter(None, found)), " ".join(filter(None, size)), evidence_sentence(result, words)]


def headline_sentence(result: Result, words: Words) -> str:
    """The one sentence to quote."""
    design, direction = result.design, result.verdict.direction
    slots = {"outcome": words.text(design.outcome_label), "units": words.listed(design.treated)}
    if direction == "unclear":
        return words(f"answer.unclear.{design.better}", **slots)
    first, last = design.window
    key = f"answer.effect.{direction}" + ("_once" if first == last else "")
    size = amount(abs(result.headline.effect), result, words)
    return words(key, when=capital(when(result, words)), size=size, **slots)


def size_sentence(result: Result, words: Words) -> str:
    """The size with its interval, interval before anything else."""
    headline, verdict = result.headline, result.verdict
    missing = no_interval_sentence(result, words)
    if missing is not None:
        return words("answer.unclear.bare", effect=amount(headline.effect, result, words), reason=missing)
    if verdict.direction == "unclear":
        upper, lower = ruled_out(result, words)
        return words("answer.unclear.size", effect=amount(headline.effect, result, words), upper=upper, lower=lower)
    slots = {"level": level(headline, words), "interval": interval(headline, result, words)}
    if headline.percent is None:
        return words("answer.effect.size_only", **slots)
    return words(f"answer.effect.size_{verdict.direction}", percent=share_of_level(headline, words), **slots)


def no_interval_sentence(result: Result, words: Words) -> str | None:
    """Why there is no interval to go by, or why the one there is may not be used; None where it may."""
    headline = result.headline
    if headline.lower is None or headline.upper is None:
        few = next((note for note in headline.notes if note.code in {"too_few_placebos", "too_few_blocks"}), None)
        smallest = None if few is None else facts.number(few.facts.get("smallest_p"))
        if few is None or smallest is None:
            return words("no_interval.none" if headline.inference == "none" else "no_interval.other")
        highest = words.percent(math.floor(100 * (1 - smallest) + 1e-9) / 100)
        if few.code == "too_few_blocks":
            regions = words.number(facts.number(few.facts.get("regions")))
            return words("no_interval.few_blocks", regions=regions, highest=highest)
        count = words.number(facts.number(few.facts.get("count")))
        return words("no_interval.few", count=count, plural=group(result, words), highest=highest)
    note = facts.invalid(headline)
    if note is None:
        return None
    return words(
        "answer.card.not_valid",
        level=level(headline, words),
        interval=interval(headline, result, words),
        reason=_why_not_valid(note, result, words),
    )


def evidence_sentence(result: Result, words: Words) -> str:
    """How sure one can be, from 1 to 5; where nothing can be told, how much weight the comparison can bear."""
    key = "weight_terminal" if result.verdict.direction == "unclear" else "terminal"
    return words(f"certainty.{key}", level=str(result.verdict.level), word=strength(result, words))


def doubt_sentence(result: Result, words: Words) -> str | None:
    """Why an interval that stands is somewhat too narrow; None where nothing is known against it."""
    if not facts.doubtful(result):
        return None
    note = next((note for note in result.headline.notes if f"not_valid.{note.code}" in words), None)
    return None if note is None else words("answer.card.doubtful", reason=_why_not_valid(note, result, words))


def strength(result: Result, words: Words) -> str:
    """The level as a word: of the evidence for an effect, or of the weight of the comparison."""
    kind = "weight" if result.verdict.direction == "unclear" else "word"
    return words(f"certainty.{kind}.{result.verdict.level}")


def opposite_sentence(result: Result, words: Words) -> str | None:
    """Said when the effect goes the other way than was hoped for."""
    direction, better = result.verdict.direction, result.design.better
    return words("answer.effect.opposite") if {direction, better} == {"higher", "lower"} else None


def ruled_out_sentence(result: Result, words: Words) -> str | None:
    """Which sizes the data speak against; None without an interval."""
    headline, direction = result.headline, result.verdict.direction
    if headline.lower is None or headline.upper is None or not facts.valid(result):
        return None
    if direction == "unclear":
        upper, lower = ruled_out(result, words)
        return words("answer.card.unclear", upper=upper, lower=lower)
    near, far = sorted((abs(headline.lower), abs(headline.upper)))
    decimals = result.design.decimals
    return words(f"answer.card.{direction}", near=words.number(near, decimals), far=amount(far, result, words))


OVER_OTHERS = frozenset(
    {
        "placebo",
        "ferman_pinto",
        "standardized_placebo",
        "volatility_placebo",
        "bias_aware_placebo",
        "block_placebo",
        "conley_taber",
    }
)
OVER_TIME = frozenset({"conformal", "jackknife_plus", "sc_ttest", "prediction_interval"})
OVER_ALL = frozenset({"wild_bootstrap", "cluster_cr2", "jackknife", "block_bootstrap"})
"""What each inference measures chance on: those without the programme, the treated over time, or all; any other is a formula."""


def uncertainty_sentences(result: Result, words: Words) -> list[str]:
    """What the interval is, and what it is measured on."""
    sentences = [words("answer.card.what_interval")] if facts.valid(result) else []
    used = result.headline.inference
    if used == "none":
        return sentences
    few = len(result.design.treated) < FEW_TREATED
    key = "where_from" if few else "where_from_many"
    if used in OVER_TIME or (used == "analytic" and few):  # of few treated that is a forecast's own error
        key = "where_from_conformal"
    elif used in OVER_ALL:
        key = "where_from_all"
    elif used not in OVER_OTHERS:
        key = "where_from_cluster"
    return [
        *sentences,
        words(
            f"answer.card.{key}",
            units=words.listed(result.design.treated),
            controls=words.number(len(result.design.controls)),
            plural=words.text(result.design.unit_label_plural),
        ),
    ]


def limits(result: Result, words: Words) -> list[str]:
    """What the number does not tell."""
    keys = ["average", "elsewhere", "cost"]
    if result.verdict.direction == "unclear":
        keys.insert(0, "unclear")
    return [words(f"limits.{key}", outcome=words.text(result.design.outcome_label)) for key in keys]


def target_sentences(result: Result, words: Words) -> list[str]:
    """Whom the programme was meant for, and whether this outcome could show an effect on them."""
    group = result.design.target_group
    if group is None:
        return []
    decimals, outcome = result.design.decimals, words.text(result.design.outcome_label)
    effect = words("number.amount", number=between(group.effect, 0, words), unit=words.text(group.effect_unit))
    low, high = group.expected
    sentences = [
        words(
            "target.who",
            persons=words.number(group.persons),
            name=words.text(group.name),
            share=words.share(group.persons / group.population),
            population=words.number(group.population),
        )
    ]
    if words.telling(low, decimals) == words.telling(high, decimals):
        unit = words.text(result.design.outcome_unit)
        expected = _with_unit(words.telling(high, decimals), unit, words)
        sentences.append(words("target.expected", effect=effect, outcome=outcome, expected=expected))
    else:
        expected = _with_unit(words.telling(high, decimals), words.text(result.design.outcome_unit), words)
        sentences.append(
            words(
                "target.expected_between",
                effect=effect,
                outcome=outcome,
                low=words.telling(low, decimals),
                high=expected,
            )
        )
    if facts.valid(result):
        sentences.append(words("target.mark"))
    detectable = result.verdict.detectable
    if detectable is None:
        sentences.append(words("target.unknown"))
    else:
        key = "cannot" if max(abs(low), abs(high)) < detectable else "can"
        sentences.append(words(f"target.{key}", detectable=amount(detectable, result, words)))
    return sentences


def cycle_sentences(result: Result, words: Words) -> list[str]:
    """What the comparison takes out of the business cycle, and what it leaves in."""
    design = result.design
    slots = {"units": words.listed(design.treated), "plural": words.text(design.unit_label_plural)}
    sentences = [words(many("cycle.none", result), **slots), words("cycle.not_removed", **slots)]
    if result.cycle.adjust == "none":
        return [*sentences, words("cycle.no_adjustment")]
    return [*sentences, words("cycle.adjusted", adjust=adjustment(result.cycle.adjust, words))]


def agreement_sentences(result: Result, words: Words) -> list[str]:
    """Whether the other methods say the same."""
    verdict = facts.agreement(result)
    outside = sum(not facts.inside_headline(result, one) for one in result.estimates)
    count = len(result.estimates) + (verdict in {"same", "same_way", "way"})
    if verdict == "one" and any(one.kind in {"estimator", "inference"} for one in result.failures):
        return [words("agree.one_failed")]
    key = f"agree.{verdict}_two"
    key = key if len(result.estimates) == 1 and key in words else f"agree.{verdict}"
    first = words(key, count=words.number(count), outside=words.number(outside))
    if verdict == "one":
        return [first]
    return [first, words("agree.declared", method=method(result.headline, words, "the"))]


def rank_sentence(result: Result, words: Words) -> str:
    """How the treated unit ranks among those without the programme."""
    found = facts.placebos(result.headline)
    if found is None:
        return words("chance.none")
    key = {1: many("chance.rank_first", result), 2: "chance.rank_one"}.get(found.rank, "chance.rank")
    return words(
        key,
        units=words.listed(result.design.treated),
        count=words.number(found.count),
        larger=words.number(found.rank - 1),
        others=words.number(found.count - 1),
    )


def chance_sentences(result: Result, words: Words) -> list[str]:
    """The placebo comparison in words: how it was made, the rank, the share, and what weakens it."""
    found = facts.placebos(result.headline)
    if found is None:
        return [words("chance.none")]
    plural = group(result, words)
    sampled = any(note.code == "placebos_sampled" for note in result.headline.notes)
    sentences = [
        words("chance.how_sampled" if sampled else "chance.how", others=words.number(found.count - 1), plural=plural),
        *([words("chance.scaled")] if found.scaled else []),
        *([words("chance.blocks", regions=words.number(found.regions), plural=plural)] if found.uneven else []),
        rank_sentence(result, words),
        words("chance.share", share=words.share(found.share)),
    ]
    smallest = found.smallest_p if found.smallest_p is not None else 1 / found.count
    if smallest >= 0.0005:
        key = f"chance.smallest{'' if found.regions is None else '_blocks'}{'_warn' if smallest > 0.05 else ''}"
        slots = {"count": words.number(found.count), "regions": words.number(found.regions), "plural": plural}
        sentences.append(words(key, smallest=words.share(smallest), **slots))
    if found.perfect:
        sentences.append(words("chance.perfect", perfect=words.number(found.perfect)))
    return sentences


def turn_sentences(result: Result, words: Words) -> list[str]:
    """What happens to each inference when every unit in turn is treated on paper."""
    found = facts.check(result, "every_unit_treated")
    if found is None:
        return []
    names, shares = facts.texts(found.series.get("methods")), facts.numbers(found.series.get("shares"))
    known = {name: share for name, share in zip(names, shares, strict=True) if share is not None}
    if not known:
        return []
    promised = facts.number(found.facts.get("level")) or 0.05
    worst = max(known, key=lambda name: known[name])
    sentences = [
        words(
            "turn.text",
            level=words.percent(promised),
            count=words.number(facts.number(found.facts.get("n_units"))),
            plural=words.text(result.design.unit_label_plural),
        ),
        words("turn.worst", method=capital(inference(worst, words, "the")), share=words.share(known[worst])),
    ]
    used = result.headline.inference
    if used in known and used != worst:
        sentences.append(words("turn.used", method=inference(used, words, "the"), share=words.share(known[used])))
        if known[worst] > 2 * promised:
            sentences.append(words("turn.caution", plural=words.text(result.design.unit_label_plural)))
    for key, chosen in (
        ("construction", [name for name in known if name in facts.RANKED]),
        ("finding", [name for name in known if name not in facts.RANKED]),
    ):
        if chosen:
            methods = words.listed([inference(name, words, "the") for name in chosen])
            sentences.append(words(f"turn.{key}", methods=methods, level=words.percent(promised)))
    return sentences


def weights_sentences(result: Result, words: Words) -> list[str]:
    """What the comparison rests on."""
    weights = {name: weight for name, weight in result.headline.unit_weights.items() if weight}
    if not weights:
        return [words("weights.none")]
    plural, used = words.text(result.design.unit_label_plural), words.number(len(weights))
    if max(weights.values()) - min(weights.values()) < 1e-9:
        return [words("weights.even", used=used, plural=plural)]
    largest = max(weights, key=lambda name: weights[name])
    effective = sum(weights.values()) ** 2 / sum(weight**2 for weight in weights.values())
    return [
        words("weights.text", used=used, plural=plural, effective=words.number(effective, 1)),
        words("weights.largest", share=words.share(weights[largest]), unit=largest),
    ]


# -- the parts that fill the slots -------------------------------------------------------------------------------------


def when(result: Result, words: Words) -> str:
    """The window as an adverbial: "in 2015–2018"."""
    first, last = result.design.window
    key = "one" if first == last else "years" if first.isdigit() and last.isdigit() else "span"
    return words(f"when.{key}", first=words.period(first), last=words.period(last))


def amount(value: float, result: Result, words: Words) -> str:
    """A number with the outcome's unit."""
    return _with_unit(words.number(value, result.design.decimals), words.text(result.design.outcome_unit), words)


def ruled_out(result: Result, words: Words) -> tuple[str, str]:
    """The upper limit, and the lower one with the unit: "above 1.20 and below −1.60 points"."""
    verdict, headline = result.verdict, result.headline
    upper = headline.upper if verdict.ruled_out_above is None else verdict.ruled_out_above
    lower = headline.lower if verdict.ruled_out_below is None else verdict.ruled_out_below
    return words.number(upper, result.design.decimals), amount(lower or 0.0, result, words)


def interval(estimate: Estimate, result: Result, words: Words) -> str:
    """The interval in words, with the unit: "from −1.60 to 1.20 points"."""
    lower, upper = estimate.lower, estimate.upper
    if lower is None or upper is None:
        return words("number.missing")
    return words(
        "number.interval", lower=words.number(lower, result.design.decimals), upper=amount(upper, result, words)
    )


def between(pair: tuple[float, float], decimals: int, words: Words) -> str:
    """A range, or one number where both ends are written alike."""
    whole = all(float(value).is_integer() for value in pair)
    low, high = (words.number(value, 0 if whole else max(decimals, 1)) for value in pair)
    return low if low == high else words("number.range", low=low, high=high)


def level(estimate: Estimate, words: Words) -> str:
    """The level of an interval in per cent."""
    share = estimate.level
    return words.percent(share, 0 if abs(share * 100 - round(share * 100)) < 1e-9 else 1)


def share_of_level(estimate: Estimate, words: Words) -> str:
    """The effect in per cent of what would have been, without its sign."""
    percent = abs(estimate.percent or 0.0)
    return words("number.percent", number=words.number(percent, 0 if percent >= 10 else 1))


def method(estimate: Estimate, words: Words, form: str = "name") -> str:
    """The name of an estimate's method, with what tells it from another by the same method.

    The form `the` stands as the subject of a sentence, where Danish needs another ending.
    """
    key = f"methods.{estimate.method}.{form}"
    name = words(key) if key in words else _plain(estimate.method)
    label = estimate.details.get("label")
    if not isinstance(label, str) or not label:
        return name
    parts = [words(key) if (key := f"methods.label.{part}") in words else _plain(part) for part in label.split("+")]
    return words("methods.with_label", name=name, label=", ".join(parts))


def inference(name: str, words: Words, form: str = "name") -> str:
    """The name of an inference method; the form `the` stands as the subject of a sentence."""
    key = f"inference.{name}.{form}"
    return words(key) if key in words else _plain(name)


def adjustment(name: str, words: Words) -> str:
    """The name of an adjustment for the business cycle."""
    key = f"cycle.adjust.{name}"
    return words(key) if key in words else _plain(name)


def file(name: str, result: Result) -> str:
    """Where the file of a table lies beside the page."""
    return f"{PurePath(result.provenance.spec_name).stem}/{name}"


def many(key: str, result: Result) -> str:
    """The key of a sentence about several treated, where English needs another verb."""
    return f"{key}_many" if len(result.design.treated) > 1 else key


def group(result: Result, words: Words) -> str:
    """What one placebo is: a unit, or with several treated a pair, a triple or a larger group of units."""
    treated, plural = len(result.design.treated), words.text(result.design.unit_label_plural)
    clusters = facts.number(result.headline.details.get("treated_clusters"))
    if result.headline.inference == "conley_taber":
        return words("group.one", plural=plural)
    if clusters is not None and clusters != treated:
        return words("group.any", plural=plural)
    key = {1: "one", 2: "two", 3: "three"}.get(treated, "more")
    return words(f"group.{key}", plural=plural, size=words.number(treated))


def fact(value: Value, words: Words) -> str:
    """A fact as it stands in a sentence: lists are listed, whole numbers whole, others with a few decimals."""
    if isinstance(value, list):
        return words.listed([fact(one, words) for one in value], 6)
    if isinstance(value, bool) or value is None or isinstance(value, (str, dict)):
        return str(value)
    if isinstance(value, int) or float(value).is_integer():
        return words.number(value)
    return words.number(value, 3 if abs(value) < 1 else 1)


def _why_not_valid(note: Note, result: Result, words: Words) -> str:
    """The reason as a clause; the note itself where there are no words for it (or not all facts of it)."""
    try:
        slots = {name: fact(value, words) for name, value in note.facts.items()}
        return words(f"not_valid.{note.code}", **slots)
    except KeyError:
        return note.text.rstrip(".")


def _with_unit(text: str, unit: str, words: Words) -> str:
    return words("number.amount", number=text, unit=unit) if unit else text


def _plain(code: str) -> str:
    return code.replace("_", " ")
