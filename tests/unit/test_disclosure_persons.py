"""Counts of persons: none below the minimum leaves, none can be worked out from the others, and what is left is rounded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluation.disclosure import protect, protected_flow, protected_population
from evaluation.errors import DisclosureError
from evaluation.result import BalanceRow, FlowStep, Population, from_json, to_json
from tests.report.fixtures import register

PEOPLE = Population("cohort", "2014M12", 500, 20000)


def flow(*rows: int, of: str = "persons") -> tuple[FlowStep, ...]:
    return tuple(FlowStep(f"step{place}", count, 98, {"of": of}) for place, count in enumerate(rows))


def shown(steps: tuple[FlowStep, ...]) -> list[int | None]:
    return [step.rows for step in steps]


def balance(*shares: tuple[float, float]) -> Population:
    rows = tuple(
        BalanceRow("age", f"{10 * place}-{10 * place + 9}", one, other, one, 0.1, 0.0)
        for place, (one, other) in enumerate(shares)
    )
    return replace(PEOPLE, balance=rows)


def bands(population: Population) -> list[float | None]:
    return [row.treated for row in protected_population(population, 5, 1).balance]


def test_small_counts_of_the_flow_are_taken_away() -> None:
    assert shown(protected_flow(flow(900, 50, 4), 5, 1)) == [900, 50, None]


def test_a_step_that_took_too_few_is_merged_with_the_one_after() -> None:
    """900 - 898 would tell of two persons; the last count stands in the text too, so the one before it goes."""
    assert shown(protected_flow(flow(1000, 900, 898), 5, 1)) == [1000, None, 898]
    assert shown(protected_flow(flow(1000, 998, 996, 994, 500), 5, 1)) == [1000, None, None, 994, 500]
    assert shown(protected_flow(flow(900, 900, 895), 5, 1)) == [900, 900, 895]


def test_rows_of_jobs_are_not_compared_with_persons() -> None:
    mixed = (*flow(902), *flow(900, 700, of="jobs"), *flow(600))
    assert shown(protected_flow(mixed, 5, 1)) == [902, 900, 700, 600]


def test_no_step_of_any_flow_gives_a_small_number_away() -> None:
    for start in range(60, 80):
        steps = flow(start, start - start % 7, start - start % 7 - start % 3, 50)
        left = [count for count in shown(protected_flow(steps, 5, 1)) if count is not None]
        assert left[-1] == 50
        assert all(not 0 < one - other < 5 for i, one in enumerate(left) for other in left[i + 1 :])


def test_a_small_band_goes_with_another_so_that_the_rest_does_not_give_it_back() -> None:
    """Three persons of 500; the three shares sum to one."""
    assert bands(balance((0.006, 0.1), (0.2, 0.3), (0.794, 0.6))) == [None, None, 0.794]


def test_small_bands_of_the_controls_go_too() -> None:
    assert bands(balance((0.2, 0.0001), (0.3, 0.4), (0.5, 0.5999))) == [None, None, 0.5]


def test_two_small_bands_need_a_third_when_they_are_too_few_together() -> None:
    assert bands(balance((0.002, 0.1), (0.004, 0.1), (0.1, 0.2), (0.894, 0.6))) == [None, None, None, 0.894]


def test_nobody_and_everybody_tell_too() -> None:
    assert bands(balance((0.0, 0.1), (0.3, 0.3), (0.7, 0.6))) == [None, None, 0.7]
    assert bands(balance((0.998, 0.9), (0.002, 0.1))) == [None, None]


def test_bands_that_are_large_enough_stay() -> None:
    rows = balance((0.2, 0.1), (0.3, 0.3), (0.5, 0.6))
    assert protected_population(rows, 5, 1) == rows


def test_exits_that_count_few_or_all_but_few_are_taken_away() -> None:
    people = replace(PEOPLE, exits={"fleksjob": {"treated": [0, 4, 5, 100, 496, None], "controls": [5, 4, 9, 9, 9, 9]}})
    found = protected_population(people, 5, 1).exits["fleksjob"]
    assert found == {"treated": [None, None, 5, 100, None, None], "controls": [5, None, 9, 9, 9, 9]}


def test_what_only_grows_is_shown_in_steps_large_enough() -> None:
    people = replace(PEOPLE, exits={"dead": {"treated": [3, 7, 9, 12, 20, 20]}})
    assert protected_population(people, 5, 1).exits["dead"]["treated"] == [None, 7, None, 12, 20, 20]


def test_counters_and_the_parts_of_a_total() -> None:
    people = replace(
        PEOPLE, counters={"duplicates": 3, "corrections": 0, "imputed": 90, "imputed|before": 2, "imputed|after": 88}
    )
    found = protected_population(people, 5, 1).counters
    assert found == {"duplicates": None, "corrections": 0, "imputed": 90, "imputed|before": None, "imputed|after": None}


def test_a_single_hidden_share_of_imputed_rows_takes_another_with_it() -> None:
    people = replace(
        PEOPLE, imputed={"treated|before": [3, 900], "treated|after": [40, 950], "controls|after": [400, 9500]}
    )
    found = protected_population(people, 5, 1).imputed
    assert found == {"treated|before": [None, 900], "treated|after": [None, 950], "controls|after": [400, 9500]}


def test_shares_that_count_few_treated_persons_and_their_means_are_taken_away() -> None:
    margins = {
        "any_hours": {"treated": [0.004, 0.1]},
        "hours_if_any": {"treated": [300.0, 400.0]},
        "annual_hours": {"treated": [1.2, 40.0]},
    }
    found = protected_population(replace(PEOPLE, margins=margins), 5, 1).margins
    assert found == {
        "any_hours": {"treated": [None, 0.1]},
        "hours_if_any": {"treated": [None, 400.0]},
        "annual_hours": {"treated": [1.2, 40.0]},
    }


def test_counts_are_rounded_to_the_base_and_so_are_the_shares_they_could_be_read_off() -> None:
    people = replace(balance((0.246, 0.1), (0.754, 0.9)), treated=524, counters={"duplicates": 13})
    found = protected_population(people, 5, 10)
    assert (found.treated, found.controls, found.counters) == (520, 20000, {"duplicates": 10})
    assert found.balance[0].treated == 130 / 520
    assert shown(protected_flow(flow(1234, 45, 14), 5, 10)) == [1230, 50, 10]


def test_a_whole_result_says_what_was_taken_and_stays_readable() -> None:
    result = register()
    population = replace(result.population, counters={**result.population.counters, "duplicates": 2})
    found = protect(
        replace(result, population=population), public=False, minimum=5, base=10, sizes_known=True, small=()
    )
    assert found.population.counters["duplicates"] is None
    assert [note.code for note in found.disclosure.actions] == ["small_counts_hidden"]
    assert from_json(to_json(found)) == found


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_the_level_of_a_share_of_few_is_not_drawn_either(scale: float) -> None:
    """Two of 524 in stable employment: the observed line would say so, whatever the table hides."""
    result = register()
    path = tuple(
        replace(one, observed=scale * (0.004 if one.period == "2010" else 0.1)) for one in result.headline.path
    )
    shares = [0.004 if one.period == "2010" else 0.1 for one in path]
    population = replace(result.population, margins={"stable_employment": {"treated": shares}})
    result = replace(result, headline=replace(result.headline, path=path), population=population)
    found = protect(result, public=False, minimum=5, base=1, sizes_known=True, small=())
    hidden = [one for one in found.headline.path if one.observed is None]
    assert [(one.period, one.counterfactual) for one in hidden] == [("2010", None)]
    assert hidden[0].effect is not None


def test_too_few_treated_persons_are_refused() -> None:
    result = register()
    few = replace(result, population=replace(result.population, treated=4))
    with pytest.raises(DisclosureError, match="fewer than 5 persons are treated"):
        protect(few, public=False, minimum=5, base=1, sizes_known=True, small=())


def test_a_result_without_persons_reads_back_as_it_was() -> None:
    from tests.report.fixtures import california

    assert '"population": null' in to_json(california())
    assert from_json(to_json(california())) == california()


def test_a_result_of_an_older_version_is_still_read() -> None:
    import json

    from tests.report.fixtures import california

    older = json.loads(to_json(california()))
    del older["published"]
    assert from_json(json.dumps(older)) == california()
