"""Files as Statistics Denmark's StatBank writes them, by hand and by API."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from evaluation.readers import UnreadableError, read_table
from evaluation.readers.statbank import is_across, melt

FOLDER = Path(__file__).parents[1] / "data" / "statbank"
DOWNLOAD = FOLDER / "aulp01_excel_layout.csv"


def test_the_download_is_byte_for_byte_what_statbank_wrote() -> None:
    # git, an editor or a formatter that re-encodes it would make the tests below pass on a file nobody downloads
    digest = hashlib.sha256(DOWNLOAD.read_bytes()).hexdigest()
    assert digest == "89f523ca41b545e48675bd815810f2df34d72f1a79a5442b32b138444984a7ed"


def test_a_download_by_hand_becomes_one_row_per_cell() -> None:
    table = read_table(DOWNLOAD)
    frame = table.frame
    assert frame.columns == ["alder", "område", "køn", "tid", "value"]
    assert len(frame) == 3 * 16
    rows = {(row["køn"], row["tid"]): row["value"] for row in frame.iter_rows(named=True)}
    assert rows["I alt", 2007] == 3.6
    assert rows["Mænd", 2009] == 5.5
    assert rows["Kvinder", 2022] == 2.8
    assert rows["I alt", 2012] == 6.0  # written "6"
    assert set(frame.get_column("alder").to_list()) == {"Alder i alt"}
    assert set(frame.get_column("område").to_list()) == {"Hele landet"}


def test_what_stands_around_the_cells_is_kept() -> None:
    read_as = read_table(DOWNLOAD).inputs[0].read_as
    assert read_as["layout"] == "StatBank (download, periods across)"
    assert read_as["title"] == "Fuldtidsledige i pct. af arbejdsstyrken efter alder, område, køn og tid"
    assert read_as["unit"] == "Pct."
    assert read_as["footnotes"] == ["Årsopgørelser af ledigheden følger kalenderårene, dvs. 1/1 til 31/12."]
    assert (read_as["encoding"], read_as["delimiter"], read_as["decimal"]) == ("ISO-8859-1", "semicolon", "comma")


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("Unemployed by age, region, sex and time", ["age", "region", "sex", "time"]),
        ("Ledige efter alder og tid", ["stub1", "stub2", "stub3", "tid"]),
        ("Ledige efter bopæl og arbejdssted, alder, køn og tid", ["bopæl og arbejdssted", "alder", "køn", "tid"]),
        ("Ledige", ["stub1", "stub2", "stub3", "time"]),
        ("Ledige efter tid, alder, køn og område", ["stub1", "stub2", "stub3", "tid"]),
    ],
)
def test_stubs_are_named_after_the_title_only_when_they_are_as_many(title: str, names: list[str]) -> None:
    sheet = melt([[title], ["", "", "", "2015K1", "2015K2"], ["a", "b", "c", "1", "2"]], "x.csv")
    assert list(sheet.columns) == [*names, "value"]


def test_a_new_name_on_the_left_does_not_carry_on_the_old_ones_to_its_right() -> None:
    sheet = melt([["", "", "2015"], ["a", "x", "1"], ["", "y", "2"], ["b", "x", "3"], ["c", "", "4"]], "x.csv")
    assert sheet.columns["stub1"] == ["a", "a", "b", "c"]
    assert sheet.columns["stub2"] == ["x", "y", "x", ""]


def test_a_line_with_too_few_values_is_refused_by_its_number() -> None:
    with pytest.raises(UnreadableError, match="line 3 has 1 values, but there are 2 periods"):
        melt([["", "2015", "2016"], ["a", "1", "2"], ["b", "1"]], "x.csv")


def test_an_ordinary_table_is_not_taken_for_a_download() -> None:
    assert not is_across([["unit", "2015", "2016"], ["a", "1", "2"]])
    assert not is_across([["", "x", "y"], ["1", "a", "b"]])


@pytest.mark.parametrize(
    ("name", "areas", "decimal", "encoding"),
    [
        ("api_da_codes.csv", ["000", "081", "860", "851", "101"], "comma", "UTF-8"),
        ("api_da_texts_bom.csv", ["Hele landet", "Region Nordjylland", "Hjørring", "Aalborg", "København"], "comma", "UTF-8 with byte order mark"),
        ("api_en_texts.csv", ["All Denmark", "Region Nordjylland", "Hjørring", "Aalborg", "Copenhagen"], "point", "UTF-8"),
        ("api_da_code_and_text.csv", ["000 Hele landet", "081 Region Nordjylland", "860 Hjørring", "851 Aalborg", "101 København"], "comma", "ISO-8859-1"),
    ],
)  # fmt: skip
def test_every_api_layout_is_read(name: str, areas: list[str], decimal: str, encoding: str) -> None:
    table = read_table(FOLDER / name)
    frame = table.frame
    assert frame.columns == ["OMRÅDE", "KØN", "TID", "INDHOLD"]
    assert frame.get_column("OMRÅDE").to_list() == areas * 2
    assert frame.get_column("TID").to_list() == [2015] * 5 + [2016] * 5
    # ".." and "-" are missing, never 0
    assert frame.get_column("INDHOLD").to_list() == [4.5, 5.4, 5.1, 6.0, None, 4.1, 5.0, 4.9, 5.8, None]
    read_as = table.inputs[0].read_as
    assert read_as["layout"] == "StatBank (API)"
    assert (read_as["decimal"], read_as["encoding"]) == (decimal, encoding)
    assert read_as["read_as_missing"] == {"..": 1, "-": 1}
