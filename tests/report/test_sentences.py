"""The sentences, word for word: what a mayor, a journalist or an auditor will quote."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from evaluation.report import facts, remarks, sentences
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
        "Weight of the comparison: moderate, 3 of 5.",
    ]),
    (unclear, "da", [
        "Vi kan ikke afgøre, om indsatsen øgede beskæftigelsesfrekvensen (16-64 år) i Hjørring.",
        "Det bedste bud er −0,23 procentpoint, og data taler imod en effekt på over 1,17 eller under −1,64 procentpoint.",
        "Sammenligningens vægt: moderat, 3 af 5.",
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
        "Det bedste bud er −0,23 procentpoint. Usikkerheden kunne ikke beregnes: Vælg en anden usikkerhedsberegning."
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
        "The method behind the headline, the placebo comparison, finds one in 5.1 %.",
        "That is why the narrow intervals many programs print when few municipalities are treated are not used here.",
        "For the placebo comparison, a share of at most 5 % holds by construction: ranking guarantees it.",
        "For the usual cluster-robust standard error and conformal inference, the share is a finding.",
    ]
    assert [spaced(sentence) for sentence in sentences.turn_sentences(hjorring(), load("da"))] == [
        "En pålidelig metode bør slå falsk alarm i omkring 5 pct. af tilfældene, når intet er sket. Her fik hver af 98 kommuner på skift indsatsen på papiret.",
        "Den sædvanlige klyngerobuste standardfejl ville have fundet en signifikant effekt i 77 pct. af dem.",
        "Metoden bag hovedresultatet, placebo-sammenligningen, finder en i 5,1 pct.",
        "Derfor bruges de smalle intervaller, som mange programmer skriver, når få kommuner er behandlet, ikke her.",
        "For placebo-sammenligningen følger en andel på højst 5 pct. af selve metoden: Rangordningen garanterer den.",
        "For den sædvanlige klyngerobuste standardfejl og konform inferens er andelen et fund.",
    ]


CHECKS = [
    (CheckResult("pre_trends", "passed", facts={"p_value": 0.532, "largest": 0.662, "largest_period": "2012"}),
     "Before the start, Hjørring differed from the comparison no more than is usual among the others treated on paper (p = 0.53). The largest gap was 0.66 percentage points, in 2012.",
     "Før starten afveg Hjørring ikke mere fra sammenligningen, end det er sædvanligt for de andre på papiret (p = 0,53). Den største forskel var 0,66 procentpoint, i 2012."),
    (CheckResult("pre_trends", "failed", facts={"p_value": 0.0004, "largest": -2.0, "largest_period": "2009"}),
     "Before the start, Hjørring differed from the comparison more than almost all others treated on paper (p < 0.001). The largest gap was −2.00 percentage points, in 2009.",
     "Før starten afveg Hjørring mere fra sammenligningen end næsten alle andre på papiret (p < 0,001). Den største forskel var −2,00 procentpoint, i 2009."),
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
     "Treating each of 93 municipalities on paper, the placebo comparison finds an effect in 4.3 % of cases; 5 % is what it promises.",
     "Når 93 kommuner på skift får indsatsen på papiret, finder placebo-sammenligningen en effekt i 4,3 pct. af tilfældene; den lover 5 pct."),
    (CheckResult("honest_did", "passed", facts={"significant": True, "m_bar": 1.68, "largest_step": 0.55}),
     "From one period to the next before the start, Hjørring and the comparison moved apart by at most 0.55 percentage points. Differences after the start could be up to 1.6 times as large, and the effect would still be there.",
     "Fra en periode til den næste før starten fjernede Hjørring og sammenligningen sig højst 0,55 procentpoint fra hinanden. Forskelle efter starten kunne være op til 1,6 gange så store, og effekten ville stadig være der."),
    (CheckResult("honest_did", "failed", facts={"significant": True, "m_bar": 0.068, "largest_step": 0.55}),
     "From one period to the next before the start, Hjørring and the comparison moved apart by at most 0.55 percentage points. The effect is lost if differences after the start are more than 0.06 times as large.",
     "Fra en periode til den næste før starten fjernede Hjørring og sammenligningen sig højst 0,55 procentpoint fra hinanden. Effekten går tabt, hvis forskelle efter starten er mere end 0,06 gange så store."),
    (CheckResult("honest_did", "warns", facts={"significant": False, "m_bar": 0.0, "largest_step": 0.55, "lower": -1.127, "upper": 0.986}, series={"m_bar": [0.0, 1.0], "lowers": [-1.12, -5.44], "uppers": [0.98, 5.76]}),
     "Even if Hjørring and the comparison moved alike after the start, the answer is open: from −1.13 to 0.99. If they moved apart as much as they did at most before, 0.55 percentage points from one period to the next, it is from −5.44 to 5.76.",
     "Selv hvis Hjørring og sammenligningen havde fulgtes ad efter starten, er svaret åbent: fra −1,13 til 0,99. Fjernede de sig så meget fra hinanden, som de højst gjorde før, 0,55 procentpoint fra en periode til den næste, er det fra −5,44 til 5,76."),
    (CheckResult("honest_did", "passed", facts={"significant": True, "m_bar": None, "largest_step": 0.0}),
     "The effect would still be there however much Hjørring and the comparison moved apart after the start.",
     "Effekten ville stadig være der, uanset hvor meget Hjørring og sammenligningen fjernede sig fra hinanden efter starten."),
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


def placebos_of(result: Result, units: list[str], **changes: Value) -> Result:
    placebo: Value = {
        "units": list(units), "effects": [0.1 * place for place in range(len(units))], "rank": 1, "count": len(units) + 1,
        "smallest_p": 1 / (len(units) + 1), **changes,
    }  # fmt: skip
    return with_headline(result, details={"placebo": placebo})


def treating(result: Result, *units: str) -> Result:
    return replace(result, design=replace(result.design, treated=units))


def without_interval() -> Result:
    note = Note("too_few_placebos", "", {"count": 7, "smallest_p": 1 / 8, "level": 0.95})
    result = with_headline(unclear(), lower=None, upper=None, notes=(note,))
    return replace(result, verdict=replace(result.verdict, ruled_out_below=None, ruled_out_above=None, detectable=None))


def with_invalid_interval() -> Result:
    note = Note("cluster_few_treated", "", {"enough": 6, "treated": 1, "controls": 29})
    return with_headline(unclear(), inference="cluster", notes=(note,))


def test_too_few_to_compare_with_says_why_there_is_no_interval_and_what_to_do() -> None:
    assert spaced(sentences.size_sentence(without_interval(), load("en"))) == (
        "The best estimate is −0.23 percentage points. "
        "7 municipalities allow no interval above 87 %: choose a lower level or find more to compare with."
    )
    assert spaced(sentences.size_sentence(without_interval(), load("da"))) == (
        "Det bedste bud er −0,23 procentpoint. "
        "7 kommuner giver intet interval over 87 pct.: Vælg et lavere niveau, eller find flere at sammenligne med."
    )


def test_an_interval_that_is_not_valid_is_shown_with_the_reason_and_asserts_nothing() -> None:
    result = with_invalid_interval()
    assert spaced(sentences.size_sentence(result, load("en"))) == (
        "The best estimate is −0.23 percentage points. "
        "The 95 % interval, from −1.64 to 1.17 percentage points, is not valid here: "
        "the formula needs at least 6 treated and 6 others, and there are 1 and 29."
    )
    assert spaced(sentences.size_sentence(result, load("da"))) == (
        "Det bedste bud er −0,23 procentpoint. "
        "95 pct.-konfidensintervallet, fra −1,64 til 1,17 procentpoint, er ikke gyldigt her: "
        "Formlen kræver mindst 6 behandlede og 6 andre, og der er 1 og 29."
    )
    assert sentences.ruled_out_sentence(result, load("en")) is None
    assert sentences.agreement_sentences(result, load("en"))[0] == "The methods lie on both sides of zero."
    assert sentences.uncertainty_sentences(result, load("en")) == [
        "Chance is measured by a formula, on how much all municipalities scatter, treated or not. The formula needs many of both."
    ]


def test_what_chance_is_measured_on_follows_the_inference() -> None:
    assert sentences.uncertainty_sentences(with_headline(unclear(), inference="conformal"), load("da"))[-1] == (
        "Tilfældigheden måles på forskellene for Hjørring over tid, ikke på andre kommuner."
    )
    assert sentences.uncertainty_sentences(unclear(), load("en"))[-1] == (
        "With only Hjørring treated, chance is measured on the 93 municipalities without the programme, not on persons."
    )


def test_the_terminal_says_that_an_effect_went_against_the_hope() -> None:
    result = replace(lower(), design=replace(lower().design, better="higher"))
    assert sentences.answer(result, "en")[0].endswith(
        "without the programme. That is the opposite of what was hoped for."
    )


def test_several_treated_are_compared_with_pairs_and_stand_in_the_plural() -> None:
    result = placebos_of(treating(unclear(), "Hjørring", "Skive"), [f"A{place} + B" for place in range(66)])
    english = [spaced(sentence) for sentence in sentences.chance_sentences(result, load("en"))]
    assert english[0].startswith("Each of the 66 other pairs of municipalities is treated on paper")
    assert english[1] == "Hjørring and Skive have the largest difference of all 67."
    danish = [spaced(sentence) for sentence in sentences.chance_sentences(result, load("da"))]
    assert danish[0].startswith("De 66 andre par af kommuner får på skift indsatsen på papiret")
    triple = placebos_of(treating(unclear(), "A", "B", "C"), ["D + E + F"])
    assert sentences.group(triple, load("en")) == "triples of municipalities"
    assert sentences.group(treating(unclear(), *"ABCD"), load("da")) == "grupper på 4 kommuner"
    assert sentences.cycle_sentences(result, load("en"))[0].startswith("Hjørring and Skive are compared")


def test_two_methods_are_both() -> None:
    result = replace(lower(), estimates=lower().estimates[:1])
    assert sentences.agreement_sentences(result, load("en"))[0].startswith("Both methods point the same way")
    assert sentences.agreement_sentences(in_danish(result), load("da"))[0].startswith("Begge metoder peger samme vej")
    agree = Note("methods_agree", "", {"count": 2})
    assert remarks.note_sentence(agree, result, load("da")) == "Begge metoder er enige, når usikkerheden regnes med."


@pytest.mark.parametrize(
    ("share", "written"), [(0.0003, "less than 0.1 %"), (0.0, "0 %"), (0.05, "5 %"), (0.0511, "5.1 %"), (0.234, "23 %")]
)
def test_a_share_is_rounded_alike_everywhere(share: float, written: str) -> None:
    assert spaced(load("en").share(share)) == written


def test_numbers_that_would_round_to_nothing_get_more_decimals() -> None:
    tiny = with_headline(unclear(), effect=-0.00233, lower=-0.01637, upper=0.0117)
    assert facts.readable(tiny).design.decimals == 4
    assert facts.readable(with_headline(tiny, effect=1e-9)).design.decimals == 2
    assert facts.readable(with_headline(tiny, lower=-0.0031, upper=-0.0015)).design.decimals == 5
    assert facts.readable(unclear()) is unclear() or facts.readable(unclear()).design.decimals == 2


def test_huge_numbers_have_a_power_of_ten() -> None:
    assert load("en").number(-2.784e9, 2) == "−2.78 × 10⁹"
    assert load("da").number(3.6e12) == "3,60 · 10¹²"


def test_checks_that_could_not_be_run_are_counted() -> None:
    note = Note("checks_passed", "", {"passed": 2, "count": 2})
    checks = tuple(CheckResult(str(place), "passed" if place < 2 else "not_run") for place in range(5))
    result = replace(unclear(), checks=checks)
    assert remarks.note_sentence(note, result, load("en")) == "2 of 5 checks could be run; both passed."
    assert remarks.note_sentence(note, result, load("da")) == "2 af 5 kontroller kunne udføres; begge er bestået."


def test_a_level_lost_to_what_could_not_be_tested_is_said() -> None:
    missing = Note("checks_missing", "", {"not_run": 3, "count": 5})
    untested = replace(unclear(), checks=())
    assert remarks.note_sentence(missing, untested, load("en")) == (
        "3 of 5 checks could not be run. The time before the start was not tested, and that costs one level."
    )
    failed = Note("estimators_failed", "", {"names": ["did", "synthetic_control"]})
    assert remarks.note_sentence(failed, unclear(), load("da")) == (
        "Kunne ikke beregnes og efterprøver derfor intet: forskel-i-forskelle og syntetisk kontrolgruppe."
    )


def test_a_failure_is_told_without_its_code_name() -> None:
    failure = Failure("estimator", "did", ("did: too few periods.",))
    assert remarks.problems(failure, load("en")) == ["too few periods"]
    inside = Failure("estimator", "synthetic_control", ("cluster: for regressions only.",))
    assert remarks.problems(inside, load("da")) == ["for regressions only"]


def test_a_doubtful_interval_stands_with_its_doubt() -> None:
    note = Note("placebo_few_controls", "", {"controls": 12, "enough": 20})
    reason = Note("inference_not_valid", "")
    result = with_headline(unclear(), notes=(note,))
    result = replace(result, verdict=replace(result.verdict, reasons=(reason,)))
    if facts.valid(result):
        assert sentences.doubt_sentence(result, load("en")) == (
            "This interval must be read with caution: several were treated and only 12 were not, so that the placebo averages overlap."
        )
        assert remarks.note_sentence(reason, result, load("da")) == "Intervallet skal læses med forbehold her."
        assert spaced(sentences.answer(result, "da")[1]).endswith(
            "Intervallet skal læses med forbehold: Flere er behandlet, og kun 12 er ikke, så placebo-gennemsnittene overlapper hinanden."
        )
    assert remarks.note_sentence(reason, without_interval(), load("en")) == "There is no interval to go by."


def test_what_was_lost_is_the_other_methods_where_the_time_before_was_tested() -> None:
    missing = Note("checks_missing", "", {"not_run": 3, "count": 5})
    assert remarks.note_sentence(missing, unclear(), load("da")) == (
        "Ingen anden metode kunne beregnes for at efterprøve svaret, og det koster ét niveau."
    )


def test_only_the_method_that_could_be_computed_is_counted() -> None:
    failure = Failure("estimator", "did", ("did: too few periods.",))
    result = replace(unclear(), estimates=(), failures=(failure,))
    assert sentences.agreement_sentences(result, load("da")) == ["Kun én metode kunne beregnes."]
