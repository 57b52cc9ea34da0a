"""Robust intervals against HonestDiD 0.2.6 (07_honestdid.R).

HonestDiD reports the outermost of 1000 values that are not rejected, and draws 1000 times for a least favourable quantile and a
million times for a folded normal one; ours are refined to rounding, drawn 20,000 times, and exact. The entries' tolerances are
those of its grids and draws.
"""

from __future__ import annotations

import numpy as np
import pytest

from evaluation import honest
from tests.reference import golden

TARGETS = {
    "post1": np.eye(4)[0],
    "post2": np.eye(4)[1],
    "average": np.full(4, 0.25),
}


def study(target: str = "post1") -> honest.EventStudy:
    """The event study of Benzarti & Carloni (2019): four periods before the reference period, four after it."""
    frame = golden.table("bc_eventstudy")
    covariance = frame.filter(like="cov_").to_numpy()
    return honest.event_study(frame["betahat"], covariance, int(frame["is_pre"].sum()), 4, TARGETS[target])


def compare(name: str, bound: str, found: tuple[honest.RobustInterval, ...]) -> None:
    theirs, within = golden.value(f"HonestDiD/bc/{name}"), golden.tolerance(f"HonestDiD/bc/{name}")
    assert [each.bound for each in found] == [row[bound] for row in theirs]
    for ours, row in zip(found, theirs, strict=True):
        golden.assert_close(ours.lower, row["lb"], within)
        golden.assert_close(ours.upper, row["ub"], within)


def bounds(name: str, bound: str) -> list[float]:
    return [row[bound] for row in golden.value(f"HonestDiD/bc/{name}")]


def test_the_interval_for_parallel_trends_is_the_packages():
    (theirs,) = golden.value("HonestDiD/bc/original/post1")
    lower, upper = honest.original(study())
    golden.assert_close(lower, theirs["lb"], golden.tolerance("HonestDiD/bc/original/post1"))
    golden.assert_close(upper, theirs["ub"], golden.tolerance("HonestDiD/bc/original/post1"))


@pytest.mark.parametrize("target", ["post1", "average"])
def test_relative_magnitudes_equal_the_packages(target):
    name = f"relative_magnitudes/{target}"
    compare(name, "Mbar", honest.relative_magnitudes(study(target), bounds(name, "Mbar")))


@pytest.mark.parametrize("target", ["post1", "average"])
def test_fixed_length_intervals_equal_the_packages(target):
    name = f"smoothness_FLCI/{target}"
    compare(name, "M", honest.smoothness(study(target), bounds(name, "M")))


@pytest.mark.parametrize("way", ["Conditional", "C-F", "C-LF"])
def test_conditional_and_hybrid_intervals_equal_the_packages(way):
    name = f"smoothness_{way}/post1"
    compare(name, "M", honest.smoothness(study(), bounds(name, "M"), way=way))


@pytest.mark.parametrize("direction", ["increasing", "decreasing"])
def test_monotone_intervals_equal_the_packages(direction):
    name = f"smoothness_monotone_{direction}/post1"
    compare(name, "M", honest.smoothness(study(), bounds(name, "M"), also=direction))


@pytest.mark.parametrize(("key", "bound"), [("M0", 0.0), ("M0.1", 0.1)])
def test_the_optimal_weights_equal_the_packages(key, bound):
    theirs, within = golden.value("HonestDiD/bc/flci_parts")[key], golden.tolerance("HonestDiD/bc/flci_parts")
    known = study()
    found = honest.fixed_length(known.effects, known.covariance, known.weights, bound, 0.95)
    golden.assert_close(found.half, theirs["half_length"], within)
    for ours, value in zip(found.weights, theirs["optimal_vec"], strict=True):
        golden.assert_close(ours, value, within)
    golden.assert_close(found.centre - found.half, theirs["lb"], within)
    golden.assert_close(found.centre + found.half, theirs["ub"], within)


def test_quantiles_of_the_folded_normal_distribution_are_exact():
    for ratio, quantile in golden.value("HonestDiD/normal_folded").items():
        golden.assert_close(
            honest.folded_normal_quantile(float(ratio), 0.95), quantile, golden.tolerance("HonestDiD/normal_folded")
        )


def test_every_entry_of_the_package_is_compared():
    """An entry added to the file without a test would be a number nobody looks at."""
    compared = {"normal_folded", "bc/flci_parts", "bc/original/post1"}
    compared |= {
        f"bc/{kind}/{target}" for kind in ("relative_magnitudes", "smoothness_FLCI") for target in ("post1", "average")
    }
    compared |= {f"bc/smoothness_{way}/post1" for way in ("Conditional", "C-F", "C-LF")}
    compared |= {f"bc/smoothness_monotone_{way}/post1" for way in ("increasing", "decreasing")}
    assert {name.removeprefix("HonestDiD/") for name in golden._entries() if name.startswith("HonestDiD/")} == compared


def test_a_long_event_study_is_not_cut():
    """The event study of Lovenheim & Willen (2019): 9 periods before and 23 after. When trends may differ, the average over all
    of them is known worse than ±20 standard errors, which is where the package's default grid ends."""
    frame = golden.table("lw_eventstudy")
    before = int(frame["is_pre"].sum())
    after = len(frame) - before
    known = honest.event_study(
        frame["betahat"], frame.filter(like="cov_").to_numpy(), before, after, np.full(after, 1.0 / after)
    )
    same, twice = honest.relative_magnitudes(known, [1.0, 2.0], draws=2000)
    assert same.lower > twice.lower
    assert same.upper < twice.upper
    assert twice.upper > 20.0 * known.std_error
    # sampling error adds to what the bound itself leaves open
    exact = honest.identified_by(known, 2.0)
    assert twice.lower < exact[0]
    assert twice.upper > exact[1]
