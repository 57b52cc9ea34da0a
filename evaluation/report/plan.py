"""A plan in words, for the terminal: one table, and in sentences what it takes to find each effect."""

from __future__ import annotations

from evaluation.planning.plan import Answer, Plan, Row
from evaluation.report import sentences
from evaluation.report.power import FEW_OF_PERSONS, share_within, within
from evaluation.report.words import Words, capital, load


def lines(plan: Plan, language: str) -> list[str]:
    """The plan in lines of text: what is planned, the smallest effects, what it takes, and what to know about the numbers.

    Parameters
    ----------
    plan : Plan
        All there is to tell.
    language : str
        One of the spec's languages.
    """
    words = load(language)
    told = [_sentence_too_few(plan, words)] if _nothing(plan) else [
        *(sentence for one in plan.answers for sentence in _answer(one, plan, words)),
        *_about(plan, words),
    ]  # fmt: skip
    head = [
        *([words("plan.synthetic")] if plan.synthetic else []),
        words("plan.title", units=words.listed(plan.units), start=words.period(plan.start)),
        words("plan.outcome", outcome=capital(words.text(plan.outcome)), unit=words.text(plan.unit)),
        words(
            "plan.method",
            method=capital(_method(plan, words)),
            span=words.span(plan.first, plan.last),
        ),
    ]
    table = [] if _nothing(plan) else ["", words("plan.table", often=_often(plan, words), level=_level(plan, words))]
    return [*head, *table, *([] if _nothing(plan) else _table(plan, words)), "", *told]


def _nothing(plan: Plan) -> bool:
    return all(row.mde is None for row in plan.rows)


def _table(plan: Plan, words: Words) -> list[str]:
    """A row per number of periods and persons, a column per number of controls."""
    pools = sorted({row.controls for row in plan.rows}, reverse=True)
    known = plan.persons is not None
    head = [capital(words(f"plan.periods.{plan.frequency}.head")), *([words("plan.persons_head")] if known else [])]
    head += [words("plan.controls_head", controls=words.number(pool)) for pool in pools]
    cells = {(row.periods, row.persons, row.controls): row for row in plan.rows}
    body = []
    for periods, persons in dict.fromkeys((row.periods, row.persons) for row in plan.rows):
        found = [_cell(cells[periods, persons, pool], plan, words) for pool in pools]
        body.append([str(periods), *([words.number(persons)] if known else []), *found])
    widths = [max(len(line[place]) for line in (head, *body)) for place in range(len(head))]
    return [
        "   ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (head, *body)
    ]


def _cell(row: Row, plan: Plan, words: Words) -> str:
    """The smallest effect, and in brackets its range over the pretended starts."""
    if row.mde is None:
        return "–"
    number = words.telling(row.mde, plan.decimals)
    if row.lowest is None or row.highest is None:
        return number
    return f"{number} ({words.telling(row.lowest, plan.decimals)}–{words.telling(row.highest, plan.decimals)})"


def _answer(one: Answer, plan: Plan, words: Words) -> list[str]:
    """What it takes to find one effect."""
    longest = max(length.periods for length in plan.lengths)
    slots = {
        "effect": _amount(one.effect, plan, words),
        "often": _often(plan, words),
        "who": _who(plan, words),
        "controls": words.number(plan.controls),
        "plural": words.text(plan.unit_plural),
    }
    enough = {each.periods: each.persons for each in one.persons if each.persons is not None}
    if one.periods is not None:
        told = words("plan.found", periods=_periods(one.periods, plan, words), **slots)
        persons = enough.get(one.periods)
        matters = any((length.share_persons or 0.0) >= FEW_OF_PERSONS for length in plan.lengths)
        if persons is None or plan.persons is None or persons >= plan.persons or not matters:
            return [told]
        return [f"{told} {words('plan.fewer_persons', persons=words.number(persons))}"]
    said = [words("plan.never", periods=_periods(longest, plan, words), **slots)]
    if enough:
        best = min(enough, key=lambda each: (enough[each], each))
        said.append(words("plan.persons", persons=words.number(enough[best]), periods=_periods(best, plan, words)))
    elif one.persons:
        said.append(words("plan.persons_never", plural=slots["plural"]))
    if one.treated is not None and one.treated.treated > len(plan.units):
        count, periods = words.number(one.treated.treated), _periods(one.treated.periods, plan, words)
        said.append(words("plan.treated", count=count, plural=slots["plural"], periods=periods))
    elif plan.together and max(each.treated for each in plan.together) > len(plan.units):
        most = words.number(max(each.treated for each in plan.together))
        said.append(words("plan.treated_never", count=most, plural=slots["plural"]))
    return [" ".join(said)]


def _about(plan: Plan, words: Words) -> list[str]:
    """What the numbers were measured on, and what to know about them."""
    longest = max(plan.lengths, key=lambda length: length.periods)
    said = []
    if longest.share_persons is not None and longest.mde_infinite_persons is not None and plan.persons is not None:
        known = within(longest.share_low, longest.share_high)
        key = "plan.share" if longest.share_persons >= FEW_OF_PERSONS else "plan.share_none"
        said.append(
            words(
                key, periods=_periods(longest.periods, plan, words), share=share_within(longest.share_persons, known, words),
                rest=_amount(longest.mde_infinite_persons, plan, words),
            )
        )  # fmt: skip
    elif plan.persons is None:
        said.append(words("plan.persons_unknown"))
    starts = words.listed([words.period(start) for start in longest.starts])
    key = "plan.how_dates" if len(longest.starts) > 1 else "plan.how"
    said.append(
        words(key, plural=words.text(plan.unit_plural), starts=starts, periods=_periods(longest.periods, plan, words))
    )
    if any(row.mde is None for row in plan.rows):
        said.append(words("plan.dash", least=words.number(plan.least_controls), level=_level(plan, words)))
    for note in plan.notes:
        facts = {
            key: value if isinstance(value, str) else words.number(float(str(value)))
            for key, value in note.facts.items()
        }
        if "inference" in facts:
            facts["inference"] = sentences.inference(facts["inference"], words, "the")
        said.append(words(f"note.{note.code}", **facts))
    return said


def _sentence_too_few(plan: Plan, words: Words) -> str:
    return words(
        "plan.too_few", controls=words.number(plan.controls), plural=words.text(plan.unit_plural),
        level=_level(plan, words), least=words.number(plan.least_controls),
    )  # fmt: skip


def _who(plan: Plan, words: Words) -> str:
    """The planned units, with their persons where known."""
    units = words.listed(plan.units)
    if plan.persons is None:
        return units
    return words(
        "plan.who" if len(plan.units) == 1 else "plan.who_each", units=units, persons=words.number(plan.persons)
    )


def _often(plan: Plan, words: Words) -> str:
    """How often an effect is to be found: 8 times in 10, or in 85 % of cases."""
    tenths = 10.0 * plan.power
    if abs(tenths - round(tenths)) < 1e-9:
        return words("plan.often_tenths", tenths=words.number(round(tenths)))
    return words("plan.often", share=words.share(plan.power))


def _periods(count: int, plan: Plan, words: Words) -> str:
    form = "one" if count == 1 else "many"
    return words(f"plan.periods.{plan.frequency}.{form}", count=words.number(count))


def _amount(value: float, plan: Plan, words: Words) -> str:
    text, unit = words.telling(value, plan.decimals), words.text(plan.unit)
    return words("number.amount", number=text, unit=unit) if unit else text


def _level(plan: Plan, words: Words) -> str:
    return words.percent(plan.level, 0 if abs(plan.level * 100 - round(plan.level * 100)) < 1e-9 else 1)


def _method(plan: Plan, words: Words) -> str:
    """The estimator, with the adjustment for the business cycle where there is one."""
    key = f"methods.{plan.method}.name"
    name = words(key) if key in words else plan.method.replace("_", " ")
    if plan.adjust == "none":
        return name
    return words("plan.adjusted", method=name, adjust=sentences.adjustment(plan.adjust, words))
