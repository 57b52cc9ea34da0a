"""Danish areas are found under every spelling, and a panel holds one level of them."""

from __future__ import annotations

from collections import Counter

import pytest

from evaluation.denmark.areas import municipalities, recognise
from evaluation.readers import read_table

RAS200 = "specs/data/ras200_employment_rate.csv"


def test_ras200_has_98_municipalities_and_everything_in_it_is_known(request: pytest.FixtureRequest) -> None:
    frame = read_table(request.config.rootpath / RAS200).frame
    labels = sorted(set(frame.get_column("area").to_list()))
    areas = recognise(labels)
    assert Counter(area.level for area in areas if area) == {
        "municipality": 98,
        "landsdel": 11,
        "region": 5,
        "nation": 1,
        "other": 1,
    }
    assert {area.name for area in areas if area and area.level == "municipality"} == {a.name for a in municipalities()}


@pytest.mark.parametrize(
    ("label", "level", "name"),
    [
        ("860", "municipality", "Hjørring"),
        ("860 Hjørring", "municipality", "Hjørring"),
        ("Hjørring Kommune", "municipality", "Hjørring"),
        ("Copenhagen", "municipality", "København"),
        ("Københavns Kommune", "municipality", "København"),
        ("Vesthimmerlands Kommune", "municipality", "Vesthimmerlands"),
        ("Bornholms Regionskommune", "municipality", "Bornholm"),
        ("Århus", "municipality", "Aarhus"),
        ("Høje Taastrup", "municipality", "Høje-Taastrup"),
        ("Hjo\u0308rring".replace("o\u0308", "ø"), "municipality", "Hjørring"),
        ("A\u030arhus", "municipality", "Aarhus"),
        ("Bornholm", "municipality", "Bornholm"),
        ("Province Bornholm", "landsdel", "Landsdel Bornholm"),
        ("04 Landsdel Bornholm", "landsdel", "Landsdel Bornholm"),
        ("Province Nordjylland", "landsdel", "Landsdel Nordjylland"),
        ("Province North Jutland", "landsdel", "Landsdel Nordjylland"),
        ("11", "landsdel", "Landsdel Nordjylland"),
        ("081", "region", "Region Nordjylland"),
        ("Region Sjælland", "region", "Region Sjælland"),
        ("Capital Region of Denmark", "region", "Region Hovedstaden"),
        ("All Denmark", "nation", "Hele landet"),
        ("000", "nation", "Hele landet"),
        ("Christiansø", "other", "Christiansø"),
        ("411", "other", "Christiansø"),
    ],
)
def test_every_spelling_is_found(label: str, level: str, name: str) -> None:
    (area,) = recognise([label])
    assert area is not None
    assert (area.level, area.name) == (level, name)


@pytest.mark.parametrize("label", ["California", "1", "81", "01 Bornholm", "860 Aalborg", "Landsdel", ""])
def test_what_is_no_area_or_contradicts_itself_is_not_found(label: str) -> None:
    assert recognise([label]) == [None]


def test_lost_leading_zeros_are_given_back_only_among_municipality_codes() -> None:
    codes = [area.code for area in municipalities()]
    found = recognise([*codes, "0", "1", "81"])
    assert [area.level for area in found[-3:] if area] == ["nation", "landsdel", "region"]
    assert recognise(["1", "2", "81"]) == [None] * 3


def test_every_municipality_lies_in_a_landsdel_and_a_region() -> None:
    assert len({area.landsdel for area in municipalities()}) == 11
    assert len({area.region for area in municipalities()}) == 5
    north = {area.code for area in municipalities() if area.landsdel == "Landsdel Nordjylland"}
    assert north == {"860", "773", "787", "810", "813", "820", "825", "840", "846", "849", "851"}
