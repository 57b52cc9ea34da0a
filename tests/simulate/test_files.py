"""The files: same seed, same bytes; scenarios differ in outcomes only; what goes wrong in registers goes wrong here."""

from __future__ import annotations

import filecmp
import itertools
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from evaluation.errors import DataError, SpecError
from evaluation.simulate import simulate
from evaluation.simulate.files import LABEL
from evaluation.simulate.series import FILES

from .registers import columns, written


def files(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def test_same_seed_same_bytes(folders, tmp_path):
    again = written(tmp_path / "again")
    names = files(folders["effect"])
    assert names == files(again)
    different = [str(name) for name in names if not filecmp.cmp(folders["effect"] / name, again / name, shallow=False)]
    assert different == []


def test_another_seed_makes_other_persons(folders, tmp_path):
    other = written(tmp_path / "other", seed=1)
    assert columns(other / "udda.parquet") != columns(folders["effect"] / "udda.parquet")


def test_persons_held_at_once_change_no_row(folders, tmp_path):
    parts = written(tmp_path / "parts", at_once=900)
    assert (
        pq.ParquetFile(parts / "dream.parquet").num_row_groups
        > pq.ParquetFile(folders["effect"] / "dream.parquet").num_row_groups
    )
    for name in files(parts):
        if name.suffix == ".parquet":
            assert pq.read_table(parts / name).equals(pq.read_table(folders["effect"] / name)), name
        else:
            assert (parts / name).read_bytes() == (folders["effect"] / name).read_bytes(), name


def test_scenarios_differ_in_outcomes_only(folders):
    effect, null = folders["effect"], folders["null"]
    assert files(effect) == files(null)
    same = {name for name in files(effect) if filecmp.cmp(effect / name, null / name, shallow=False)}
    different = {str(name) for name in files(effect)} - {str(name) for name in same}
    later = {f"bfl/bfl{year}.parquet" for year in range(2015, 2021)}
    assert different <= later | {"dream.parquet", "truth/effect.csv", "truth/scenario.csv"}
    assert later <= different
    hjorring = set(
        np.array(columns(null / "bef" / "bef2014.parquet")["PNR"])[
            np.array(columns(null / "bef" / "bef2014.parquet")["KOM"]) == "860"
        ]
    )
    for year in (2015, 2018):
        one, two = (
            {tuple(row.values()) for row in pq.read_table(folder / "bfl" / f"bfl{year}.parquet").to_pylist()}
            for folder in (effect, null)
        )
        assert {row[0] for row in one ^ two} <= hjorring
    one, two = (pq.read_table(folder / "dream.parquet") for folder in (effect, null))
    until = [name for name in one.column_names if name.startswith("Y_") and int(name[2:4]) <= 14]
    assert one.select(until).equals(two.select(until))


def test_the_scenario_stands_in_the_truth_only(folders):
    for name in files(folders["effect"]):
        if name.parts[0] != "truth":
            content = (folders["effect"] / name).read_bytes()
            assert b"scenario" not in content.replace(b"which scenario", b""), name


def test_everything_says_that_it_is_synthetic(folders):
    folder = folders["effect"]
    for path in folder.rglob("*.parquet"):
        assert pq.read_schema(path).metadata[b"SYNTHETIC"] == LABEL
    for path in folder.rglob("*.csv"):
        lines = path.read_text("utf-8").splitlines()[1:]
        assert lines, path.name
        assert all("SYNTHETIC" in line for line in lines), path.name
    text = (folder / "SYNTHETIC.md").read_text("utf-8")
    assert text.startswith("SYNTHETIC: made-up persons")
    assert "seed 860" in text


def test_keys_are_no_cpr_numbers(folders):
    keys = columns(folders["effect"] / "udda.parquet")["PNR"]
    assert len(keys) == len(set(keys)) == 5_000
    assert all(key[0] == "S" and key[1:].isdecimal() and len(key) == 10 for key in keys)
    # even without its letter a key is no date
    assert all(key[1:3] == "00" for key in keys)


def test_layout_of_the_registers(folders):
    folder = folders["effect"]
    bef = pq.read_schema(folder / "bef" / "bef2014.parquet").names
    assert bef == ["PNR", "KOM", "FOED_DAG", "KOEN", "IE_TYPE", "OPR_LAND"]
    dream = pq.read_schema(folder / "dream.parquet").names
    weeks = [name for name in dream if name.startswith("Y_")]
    assert {"Y_0953", "Y_1553", "Y_2053"} <= set(weeks)
    assert not {"Y_1453", "Y_1653"} & set(weeks)
    assert len(weeks) == 14 * 52 + 3
    assert "VISIT_1KV2014" in dream
    assert "VISIT_4KV2013" not in dream
    assert {"MATCH_1KV2008", "MATCH_4KV2019"} <= set(dream)
    assert set(columns(folder / "bef" / "bef2014.parquet")["KOM"]) <= {f"{code:03d}" for code in range(101, 861)}


def test_residents_leave_and_do_not_come_back(folders):
    people = [set(columns(folders["effect"] / "bef" / f"bef{year}.parquet")["PNR"]) for year in range(2007, 2021)]
    assert all(later <= earlier for earlier, later in itertools.pairwise(people))
    assert len(people[-1]) < len(people[7])


def test_errors_of_measurement(folders):
    rows = pq.read_table(folders["effect"] / "bfl" / "bfl2013.parquet").to_pylist()
    rows += pq.read_table(folders["effect"] / "bfl" / "bfl2012.parquet").to_pylist()
    n = len(rows)
    assert 0.02 < sum(row["AJO_LOENTIME_KODE"] == 0 for row in rows) / n < 0.09
    assert 0.004 < sum(row["AJO_LOENTIMER"] < 0 for row in rows) / n < 0.02
    doubles = n - len({tuple(row.values()) for row in rows})
    assert 0.001 < doubles / n < 0.012
    last = pq.read_table(folders["effect"] / "bfl" / "bfl2020.parquet")["AJO_JOB_START_DATO"].to_pylist()
    december, june = (sum(day.month == month for day in last) for month in (12, 6))
    assert december < 0.85 * june
    assert {row["AJO_INDKOMST_ART_KODE"] for row in rows} == {1, 2, 3}


def test_hours_sum_to_the_truth_but_for_imputation(folders):
    truth = [
        line.split(",") for line in (folders["effect"] / "truth" / "effect.csv").read_text("utf-8").splitlines()[1:]
    ]
    assert {line[0] for line in truth} == {"cohort", "stock"}
    effects = {int(line[2]): float(line[6]) for line in truth if line[:2] == ["cohort", "860"]}
    assert effects[2014] == 0
    assert [effects[year] for year in (2015, 2016, 2017, 2018)] == pytest.approx([15, 40, 55, 70], abs=0.05)


def test_public_series_can_be_read(folders):
    from evaluation.readers import read_table

    for name in FILES:
        table = read_table(folders["effect"] / "series" / f"{name}.csv")
        assert table is not None, name
    lines = (folders["effect"] / "series" / "unemployment.csv").read_text("utf-8").splitlines()
    assert lines[0] == "OMRÅDE;DATA;TID;INDHOLD"
    assert len(lines) == 1 + 99 * 168
    assert any(line.startswith("860 Hjørring;SYNTHETIC;2015M01;") for line in lines)
    shares = [
        line.split(";")
        for line in (folders["effect"] / "series" / "industry_shares.csv").read_text("utf-8").splitlines()[1:]
    ]
    hjorring = sum(float(share.replace(",", ".")) for area, *_, share in shares if area == "860 Hjørring")
    assert hjorring == pytest.approx(100, abs=0.1)


def test_employment_by_industry_has_the_shares_and_the_growth_of_the_other_files(folders):
    """In whole persons: shares in per cent agree to their second decimal in places of some size, growth in per cent to the first."""
    lines = (folders["effect"] / "series" / "industry_employment.csv").read_text("utf-8").splitlines()
    assert lines[0] == "OMRÅDE;BRANCHE;DATA;TID;INDHOLD"
    assert len(lines) == 1 + 98 * 10 * 14
    persons = {(*line.split(";")[:2], line.split(";")[3]): int(line.split(";")[4]) for line in lines[1:]}
    shares = [line.split(";") for line in (folders["effect"] / "series" / "industry_shares.csv").read_text("utf-8").splitlines()[1:]]
    growth = [line.split(";") for line in (folders["effect"] / "series" / "industry_growth.csv").read_text("utf-8").splitlines()[1:]]
    areas, industries = list(dict.fromkeys(line[0] for line in shares)), list(dict.fromkeys(line[0] for line in growth))
    for area, industry, _, year, share in shares:
        employed = sum(persons[area, each, year] for each in industries)
        assert 100 * persons[area, industry, year] / employed == pytest.approx(float(share.replace(",", ".")), abs=0.01 + 100 / employed)
    for industry, _, year, rate in growth:
        now, then = (sum(persons[area, industry, when] for area in areas) for when in (year, str(int(year) - 1)))
        # 98 rounded numbers, and a rate with two decimals
        assert 100 * (now / then - 1) == pytest.approx(float(rate.replace(",", ".")), abs=0.05)


def test_real_registers_are_never_written_over(tmp_path):
    (tmp_path / "bef").mkdir()
    (tmp_path / "bef" / "bef2014.parquet").write_bytes(b"real")
    with pytest.raises(DataError, match=r"no SYNTHETIC\.md"):
        simulate(tmp_path, scenario="null", persons=5_000, seed=1)
    assert (tmp_path / "bef" / "bef2014.parquet").read_bytes() == b"real"
    assert len(files(tmp_path)) == 1


def test_a_run_that_breaks_off_leaves_no_half_files(tmp_path):
    def stop(step: str, text: str) -> None:
        raise RuntimeError("broken off")

    with pytest.raises(RuntimeError):
        simulate(tmp_path, scenario="null", persons=5_000, seed=1, say=stop)
    assert [str(name) for name in files(tmp_path)] == ["SYNTHETIC.md"]


def test_wrong_requests_are_named(tmp_path):
    with pytest.raises(SpecError, match="did you mean 'effect'"):
        simulate(tmp_path, scenario="efect", persons=5_000, seed=1)
    with pytest.raises(SpecError, match="too few"):
        simulate(tmp_path, scenario="effect", persons=50, seed=1)
    assert not files(tmp_path)
