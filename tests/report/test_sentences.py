"""The sentences, word for word: what a mayor, a journalist or an auditor will quote."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from evaluation.report import remarks, sentences
from evaluation.report.words import load
from evaluation.result import CheckResult, Failure, Note, Result, Value
from tests.report.fixtures import california, hjorring
from tests.report.reading import spaced


def with_headline(result: Result, **changes: Any) -> Result:
    return replace(result, headline=replace(result.headline, **changes))


def unclear() -> Result:
    """The published case: −0.23, 95 % interval −1.6 to 1.2."""
    result = with_headline(hjorring(), effect=-0.233, lower=-1.637, upper=1.170, percent=-0.32)
    return replace(
        result, verdict=replace(result.verdict, ruled_out_below=-1.637, ruled_out_above=1.170, detectable=1.708)
    )


def lower() -> Result:
    result = with_headline(california(), effect=-15.605, lower=-27.32, upper=-3.89, percent=-20.55)
    return replace(
        result,
        verdict=replace(result.verdict, direction="lower", level=3, ruled_out_below=-27.32, ruled_out_above=-3.89),
    )


def in_danish(result: Result) -> Result:
    design = replace(
        result.design,
        unit_label={"da": "stat"}, unit_label_plural={"da": "stater"},
        outcome_label={"da": "cigaretsalget"}, outcome_unit={"da": "pakker pr. indbygger om året"},
    )  # fmt: skip
    return replace(result, design=design, languages=("da",))


ANSWERS = [
    (unclear, "en", [
        "We cannot tell whether the programme raised the employment rate (ages 16-64) in Hjørring.",
        "The best estimate is −0.23 percentage points, and the data speak against an effect above 1.17 or below −1.64 percentage points.",
        "Evidence: moderate, 3 of 5.",
    ]),
    (unclear, "da", [
        "Vi kan ikke afgøre, om indsatsen øgede beskæftigelsesfrekvensen (16-64 år) i Hjørring.",
        "Det bedste bud er −0,23 procentpoint, og data taler imod en effekt på over 1,17 eller under −1,64 procentpoint.",
        "Evidens: moderat, 3 af 5.",
    ]),
    (lower, "en", [
        "In 1989–2000, cigarette sales in California averaged 15.6 packs a head and year lower than would have been the case without the programme.",
        "The 95 % interval runs from −27.3 to −3.9 packs a head and year; the best estimate is 21 % below the level without the programme.",
        "Evidence: moderate, 3 of 5.",
    ]),
    (lambda: in_danish(lower()), "da", [
        "I 1989–2000 var cigaretsalget i California i gennemsnit 15,6 pakker pr. indbygger om året lavere, end det ville have været tilfældet uden indsatsen.",
        "95 pct.-konfidensintervallet går fra −27,3 til −3,9 pakker pr. indbygger om året; det bedste bud er 21 pct. under niveauet uden indsatsen.",
        "Evidens: moderat, 3 af 5.",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("make", "language", "expected"), ANSWERS)
def test_the_answer_in_three_sentences(make: Any, language: str, expected: list[str]) -> None:
    assert [spaced(sentence) for sentence in sentences.answer(make(), language)] == expected


@pytest.mark.parametrize("language", ["da", "en"])
def test_an_interval_that_holds_zero_is_never_called_no_effect(language: str) -> None:
    """ "No clear effect" is not "no effect": neither the answer nor the limits may say so."""
    result, words = unclear(), load(language)
    told = " ".join([*sentences.answer(result, language), *sentences.limits(result, words)]).casefold()
    for phrase in ("no effect", "had no", "did not raise", "ingen effekt", "virkede ikke", "uden effekt"):
        assert phrase not in told


def test_the_direction_hoped_for_decides_what_cannot_be_told() -> None:
    words = load("en")
    said = {
        better: sentences.headline_sentence(replace(unclear(), design=replace(unclear().design, better=better)), words)
        for better in ("higher", "lower", "neither")
    }
    assert [sentence.split()[6] for sentence in said.values()] == ["raised", "lowered", "changed"]


def test_an_effect_against_the_hope_is_said_so() -> None:
    result = replace(lower(), design=replace(lower().design, better="higher"))
    assert sentences.opposite_sentence(result, load("en")) == "That is the opposite of what was hoped for."
    assert sentences.opposite_sentence(lower(), load("en")) is None


def test_an_estimate_without_an_interval_says_so() -> None:
    result = with_headline(unclear(), lower=None, upper=None)
    assert sentences.size_sentence(result, load("da")) == (
        "Det bedste bud er −0,23 procentpoint, men usikkerheden kunne ikke beregnes."
    )
    assert sentences.ruled_out_sentence(result, load("da")) is None


def test_what_the_data_speak_against() -> None:
    assert sentences.ruled_out_sentence(unclear(), load("da")) == (
        "Data taler imod en effekt på over 1,17 eller under −1,64 procentpoint. Alt derimellem passer med data, også nul."
    )
    assert sentences.ruled_out_sentence(lower(), load("en")) == (
        "The data speak against a decrease of less than 3.9 or more than 27.3 packs a head and year."
    )


def test_the_target_group_and_what_this_outcome_could_show() -> None:
    """524 persons of 40,000, 39-51 hours each: 0.03 points, far below the smallest effect that could be seen."""
    english = [spaced(sentence) for sentence in sentences.target_sentences(unclear(), load("en"))]
    assert english == [
        "The programme was meant for 524 activity-ready cash-benefit recipients: 1.3 % of the 40,000 persons the outcome covers.",
        "If the effect on each of them was 39 to 51 working hours a year, it would move the employment rate (ages 16-64) by about 0.03 percentage points.",
        "The triangle in the figure marks it.",
        "This comparison can hardly show effects below about 1.71 percentage points. So this outcome cannot show the effect on that group.",
    ]
    danish = [spaced(sentence) for sentence in sentences.target_sentences(unclear(), load("da"))]
    assert danish == [
        "Indsatsen var tiltænkt 524 aktivitetsparate kontanthjælpsmodtagere: 1,3 pct. af de 40.000 personer, som effektmålet dækker.",
        "Hvis effekten på hver af dem var 39 til 51 arbejdstimer om året, ville det flytte beskæftigelsesfrekvensen (16-64 år) omkring 0,03 procentpoint.",
        "Trekanten i figuren viser det.",
        "Sammenligningen kan næppe vise effekter under omkring 1,71 procentpoint. Effektmålet kan altså ikke vise effekten på den gruppe.",
    ]


def test_a_target_effect_that_could_have_been_seen() -> None:
    group = unclear().design.target_group
    assert group is not None
    result = replace(unclear(), design=replace(unclear().design, target_group=replace(group, expected=(2.0, 3.0))))
    assert sentences.target_sentences(result, load("en"))[1].endswith("by 2.00 to 3.00 percentage points.")
    assert "could have shown" in sentences.target_sentences(result, load("en"))[-1]


def test_what_two_way_comparison_removes_of_the_cycle_and_what_it_leaves() -> None:
    assert sentences.cycle_sentences(unclear(), load("da")) == [
        "Hjørring sammenlignes med andre i de samme perioder. Det fjerner et landsdækkende opsving eller en nedgang, hvis alle rammes ens.",
        "Det fjerner ikke et lokalt opsving. Det fjerner heller ikke, at nogle kommuner reagerer stærkere end andre på det samme opsving.",
        "Der er ikke renset yderligere for konjunkturer i denne evaluering.",
    ]


def test_methods_on_both_sides_of_zero_do_not_disagree_within_noise() -> None:
    """Signs differ, but every interval holds zero: that is uncertainty, not disagreement."""
    assert sentences.agreement_sentences(unclear(), load("da"))[0] == (
        "Metoderne ligger på hver sin side af nul, alle inden for hovedresultatets interval."
    )


def test_methods_that_differ_in_sign_beyond_noise_disagree() -> None:
    other = replace(lower().estimates[0], effect=9.0, lower=2.0, upper=16.0)
    reason = Note("methods_disagree", "The methods disagree: did.", {"methods": "did"})
    result = replace(lower(), estimates=(other,), verdict=replace(lower().verdict, reasons=(reason,)))
    assert sentences.agreement_sentences(result, load("en"))[0] == (
        "The methods disagree. Do not base a decision on this alone."
    )


def test_methods_that_differ_in_size_only_are_said_to_point_the_same_way() -> None:
    """The verdict counts them as agreeing; the page may not say the opposite."""
    result = replace(lower(), estimates=(replace(lower().estimates[0], effect=-27.4), lower().estimates[1]))
    assert sentences.agreement_sentences(result, load("en"))[0] == (
        "All 3 methods point the same way. Outside the interval of the headline: 1 of them."
    )
    assert sentences.agreement_sentences(in_danish(result), load("da"))[0] == (
        "Alle 3 metoder peger samme vej. Uden for hovedresultatets interval: 1 af dem."
    )


@pytest.mark.parametrize(
    ("rank", "expected"),
    [
        (1, "Hjørring har den største forskel af alle 94."),
        (2, "Én af de 93 andre viser en forskel, der er mindst lige så stor som i Hjørring."),
        (61, "60 af de 93 andre viser en forskel, der er mindst lige så stor som i Hjørring."),
    ],
)
def test_the_rank_among_those_without_the_programme(rank: int, expected: str) -> None:
    placebo: dict[str, Value] = {**hjorring().headline.details["placebo"], "rank": rank}  # type: ignore[dict-item]
    result = with_headline(hjorring(), details={"placebo": placebo})
    assert sentences.rank_sentence(result, load("da")) == expected


def test_chance_cannot_be_ruled_out_with_few_to_compare() -> None:
    """With ten municipalities the share cannot go below 9 %: say so before any star."""
    names: list[Value] = list(hjorring().design.controls[:10])
    placebo: Value = {"units": names, "effects": [0.1] * 10, "rank": 1, "count": 11, "smallest_p": 1 / 11}
    result = with_headline(hjorring(), details={"placebo": placebo})
    told = [spaced(sentence) for sentence in sentences.chance_sentences(result, load("en"))]
    assert told[-1] == (
        "With only 11 municipalities to compare, this share can never be below 9.1 %: chance cannot be ruled out at 5 %."
    )


def test_what_crying_wolf_says() -> None:
    assert [spaced(sentence) for sentence in sentences.turn_sentences(hjorring(), load("en"))] == [
        "A trustworthy method should cry wolf in about 5 % of cases when nothing happened. Here each of 98 municipalities was treated on paper.",
        "The usual cluster-robust standard error would have found a significant effect in 77 % of them.",
        "The method behind the headline, the placebo comparison, finds one in 5 %.",
        "That is why the narrow intervals many programs print when few municipalities are treated are not used here.",
    ]
    assert [spaced(sentence) for sentence in sentences.turn_sentences(hjorring(), load("da"))] == [
        "En pålidelig metode bør slå falsk alarm i omkring 5 pct. af tilfældene, når intet er sket. Her fik hver af 98 kommuner på skift indsatsen på papiret.",
        "Den sædvanlige klyngerobuste standardfejl ville have fundet en signifikant effekt i 77 pct. af dem.",
        "Metoden bag hovedresultatet, placebo-sammenligningen, finder en i 5 pct.",
        "Derfor bruges de smalle intervaller, som mange programmer skriver, når få kommuner er behandlet, ikke her.",
    ]


CHECKS = [
    (CheckResult("pre_trends", "passed", facts={"p_value": 0.532, "largest": 0.662, "largest_period": "2012"}),
     "Before the start, Hjørring and the comparison moved alike. The largest gap was 0.66 percentage points, in 2012 (p = 0.53).",
     "Før starten udviklede Hjørring og sammenligningen sig ens. Den største forskel var 0,66 procentpoint, i 2012 (p = 0,53)."),
    (CheckResult("pre_trends", "failed", facts={"p_value": 0.0004, "largest": -2.0, "largest_period": "2009"}),
     "Before the start, Hjørring and the comparison did not move alike. The largest gap was −2.00 percentage points, in 2009 (p < 0.001).",
     "Før starten udviklede Hjørring og sammenligningen sig ikke ens. Den største forskel var −2,00 procentpoint, i 2009 (p < 0,001)."),
    (CheckResult("placebo_in_time", "passed", series={"starts": ["2012", "2013"], "p_values": [0.5, 0.89]}),
     "A pretended start in 2012 and 2013 finds nothing out of the ordinary (lowest p = 0.50).",
     "Med en tænkt start i 2012 og 2013 findes intet usædvanligt (laveste p = 0,50)."),
    (CheckResult("leave_one_out", "warns", facts={"low": -0.68, "low_unit": "Frederikshavn", "high": 0.16, "high_unit": "Ærø"}),
     "Leaving out municipalities one at a time moves the estimate somewhat: from −0.68 (without Frederikshavn) to 0.16 (without Ærø).",
     "Udelades kommuner enkeltvis, flytter resultatet sig en del: fra −0,68 (uden Frederikshavn) til 0,16 (uden Ærø)."),
    (CheckResult("donor_weights", "warns", facts={"method": "synthetic_control", "n_used": 6, "effective": 3.65, "largest": 0.399, "largest_unit": "Frederikshavn"}),
     "With synthetic control, the comparison rests on few municipalities: 6, equivalent to 3.6 with equal weights. The largest weight is 40 % (Frederikshavn).",
     "Med syntetisk kontrolgruppe hviler sammenligningen på få kommuner: 6, svarende til 3,6 med lige stor vægt. Den største vægt er 40 pct. (Frederikshavn)."),
    (CheckResult("every_unit_treated", "passed", facts={"level": 0.05, "n_units": 93}, series={"methods": ["placebo"], "shares": [0.043]}),
     "Treating each of 93 municipalities on paper, the placebo comparison finds an effect in 4 % of cases; 5 % is what it promises.",
     "Når 93 kommuner på skift får indsatsen på papiret, finder placebo-sammenligningen en effekt i 4 pct. af tilfældene; den lover 5 pct."),
    (CheckResult("leave_one_out", "not_run", reason="few_controls"),
     "The estimate was not repeated with municipalities left out one at a time. Reason: there are too few to compare with.",
     "Resultatet er ikke gentaget med kommuner udeladt enkeltvis. Begrundelse: der er for få at sammenligne med."),
    (CheckResult("unheard_of", "warns"),
     "The check found something that calls for caution.",
     "Kontrollen fandt noget, der maner til forsigtighed."),
]  # fmt: skip


@pytest.mark.parametrize(("check", "english", "danish"), CHECKS, ids=lambda value: getattr(value, "id", ""))
def test_what_a_check_says(check: CheckResult, english: str, danish: str) -> None:
    assert spaced(remarks.check_sentence(check, hjorring(), load("en"))) == english
    assert spaced(remarks.check_sentence(check, hjorring(), load("da"))) == danish


def test_every_check_has_a_sentence_for_every_status() -> None:
    for one in hjorring().checks:
        for status in ("passed", "warns", "failed", "not_run"):
            for language in ("da", "en"):
                told = remarks.check_sentence(replace(one, status=status), hjorring(), load(language))
                assert told.endswith(".")
                assert "{" not in told


def test_notes_are_in_the_readers_language_and_unknown_ones_as_they_came() -> None:
    danish = load("da")
    known = Note(
        "methods_disagree", "The methods disagree: did, synthetic_control.", {"methods": "did, synthetic_control"}
    )
    assert remarks.note_sentence(known, hjorring(), danish) == (
        "Metoderne er uenige: forskel-i-forskelle og syntetisk kontrolgruppe."
    )
    few = Note("one_treated", "", {"possible": 3})
    assert remarks.note_sentence(few, hjorring(), danish) == (
        "Når kun Hjørring er behandlet, er 3 af 5 det højeste, der kan nås."
    )
    assert remarks.note_sentence(Note("new_code", "Something new."), hjorring(), danish) == "Something new."
    assert remarks.note_sentence(Note("one_treated", "As it came."), hjorring(), danish) == "As it came."


def test_failures_name_what_failed() -> None:
    failure = Failure("estimator", "synthetic_control", ("no fit",))
    assert remarks.failure_sentence(failure, hjorring(), load("da")) == "Syntetisk kontrolgruppe kunne ikke beregnes"
    assert remarks.failure_sentence(replace(failure, kind="check", name="pre_trends"), hjorring(), load("en")) == (
        "The check “Did they move alike before?” could not be computed"
    )


def test_the_same_method_twice_is_told_apart_by_its_label() -> None:
    estimate = replace(hjorring().headline, method="synthetic_control", details={"label": "demeaned+something_new"})
    assert sentences.method(estimate, load("da")) == "syntetisk kontrolgruppe, uden niveauforskelle, something new"


def test_quarters_read_well_in_the_headline() -> None:
    design = replace(lower().design, window=("2019Q1", "2020Q4"), start="2019Q1")
    told = sentences.headline_sentence(replace(lower(), design=design), load("en"))
    assert told.startswith("From Q1 2019 to Q4 2020, cigarette sales in California averaged")
