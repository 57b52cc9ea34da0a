"""Every format gives the same table, damaged files give a sentence, and several files become one."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyreadstat
import pytest
from pyarrow import ipc

from evaluation.readers import FORMATS, Settings, UnreadableError, read_table

FRAME = pd.DataFrame(
    {
        "kommune": ["Hjørring", "Ærø", "Hjørring", "Ærø"],
        "aar": [2015, 2015, 2016, 2016],
        "andel": [70.5, None, 71.25, 69.0],
    }
)


def write_stream(frame: pd.DataFrame, path: Path) -> None:
    table = pa.Table.from_pandas(frame)
    with ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.csv": lambda path: FRAME.to_csv(path, index=False),
    "a.tsv": lambda path: FRAME.to_csv(path, index=False, sep="\t"),
    "a.parquet": lambda path: FRAME.to_parquet(path),
    "a.feather": lambda path: FRAME.to_feather(path),
    "a.arrow": lambda path: FRAME.to_feather(path, compression="uncompressed"),
    "b.arrow": lambda path: write_stream(FRAME, path),
    "a.xlsx": lambda path: FRAME.to_excel(path, index=False),
    "a.dta": lambda path: pyreadstat.write_dta(FRAME, str(path)),
    "a.sav": lambda path: pyreadstat.write_sav(FRAME, str(path)),
    "a.zsav": lambda path: pyreadstat.write_sav(FRAME, str(path), compress=True),
    "a.xpt": lambda path: pyreadstat.write_xport(FRAME, str(path)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_table(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    table = read_table(tmp_path / name)
    assert table.frame.columns == ["kommune", "aar", "andel"]
    assert table.frame.get_column("kommune").to_list() == FRAME["kommune"].tolist()
    assert [int(year) for year in table.frame.get_column("aar").to_list()] == FRAME["aar"].tolist()
    values = table.frame.get_column("andel").to_list()
    assert values[0::2] == [70.5, 71.25]
    assert values[1] is None or values[1] != values[1]  # missing: null, or NaN where the file says so


@pytest.mark.parametrize("name", WRITERS)
def test_provenance_holds_name_hash_and_size_but_no_folder(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    (entry,) = read_table(tmp_path / name).inputs
    content = (tmp_path / name).read_bytes()
    assert entry.name == name
    assert entry.sha256 == hashlib.sha256(content).hexdigest()
    assert (entry.bytes, entry.rows, entry.columns) == (len(content), 4, 3)
    assert str(tmp_path) not in repr(entry)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("keep", [0, 1, 40, 0.5])
def test_a_damaged_file_gives_a_sentence_and_no_cell(tmp_path: Path, name: str, keep: float) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep == 0.5 else int(keep)])
    if name.endswith((".csv", ".tsv", ".xpt", ".sav", ".zsav", ".dta")) and keep == 0.5:
        # half of a text file can be a whole, smaller one; the engine for the statistical formats reads what is there
        with contextlib.suppress(UnreadableError):
            read_table(path)
        return
    with pytest.raises(UnreadableError) as caught:
        read_table(path)
    assert "Hjørring" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_stata_labels_dates_and_periods(tmp_path: Path) -> None:
    frame = pd.DataFrame({"kommune": [1, 2], "k": [220, 221], "m": [660, 661], "y": [1.0, 2.0]})
    pyreadstat.write_dta(
        frame,
        str(tmp_path / "a.dta"),
        variable_format={"k": "%tq", "m": "%tm"},
        variable_value_labels={"kommune": {1: "Hjørring", 2: "Ærø"}},
    )
    table = read_table(tmp_path / "a.dta")
    assert table.frame.get_column("kommune").to_list() == ["Hjørring", "Ærø"]
    assert table.frame.get_column("k").to_list() == ["2015Q1", "2015Q2"]
    assert table.frame.get_column("m").to_list() == ["2015M01", "2015M02"]
    assert table.inputs[0].read_as["value_labels"] == ["kommune"]


def test_codes_with_labels_for_some_values_only_stay_codes(tmp_path: Path) -> None:
    pyreadstat.write_sav(
        pd.DataFrame({"svar": [1.0, 2.0, 3.5]}), str(tmp_path / "a.sav"), variable_value_labels={"svar": {1.0: "ja"}}
    )
    assert read_table(tmp_path / "a.sav").frame.get_column("svar").to_list() == [1.0, 2.0, 3.5]


def test_an_excel_sheet_is_chosen_by_name_and_text_is_read_like_a_text_file(tmp_path: Path) -> None:
    with pd.ExcelWriter(tmp_path / "a.xlsx") as book:
        pd.DataFrame({"x": [1]}).to_excel(book, sheet_name="første", index=False)
        frame = pd.DataFrame({"kode": ["081", "860"], "tal": ["3,5", ".."], "dag": [datetime.date(2015, 1, 1)] * 2})
        frame.to_excel(book, sheet_name="anden", index=False)
    table = read_table(tmp_path / "a.xlsx", Settings(sheet="anden"))
    assert table.frame.get_column("kode").to_list() == ["081", "860"]
    assert table.frame.get_column("tal").to_list() == [3.5, None]
    assert table.frame.get_column("dag").to_list() == ["2015-01-01"] * 2
    assert table.inputs[0].read_as["sheets"] == ["første", "anden"]
    assert read_table(tmp_path / "a.xlsx").frame.columns == ["x"]


def test_a_statbank_download_as_a_workbook_is_melted_like_the_text_file(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    for row in (
        ["Ledige efter område, køn og tid"],
        ["Enhed: Pct."],
        [None, None, 2015, 2016],
        ["Hjørring", "I alt", 5.1, 4],
        [None, "Mænd", 5.5, ".."],
        [],
        ["En note"],
    ):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    table = read_table(tmp_path / "a.xlsx")
    assert table.frame.columns == ["område", "køn", "tid", "value"]
    assert table.frame.get_column("område").to_list() == ["Hjørring"] * 4
    assert table.frame.get_column("value").to_list() == [5.1, 4.0, 5.5, None]
    assert table.inputs[0].read_as["footnotes"] == ["En note"]


def test_a_glob_is_all_its_files_below_each_other_each_in_provenance(tmp_path: Path) -> None:
    FRAME[:2].to_csv(tmp_path / "del1.csv", index=False)
    FRAME[2:][["aar", "andel", "kommune"]].to_parquet(tmp_path / "del2.parquet")
    table = read_table(tmp_path / "del*")
    assert [entry.name for entry in table.inputs] == ["del1.csv", "del2.parquet"]
    assert table.frame.get_column("aar").to_list() == [2015, 2015, 2016, 2016]
    assert table.flow[0].rows == 4
    assert table.flow[0].facts["files"] == 2


def test_codes_that_are_text_in_one_file_are_text_in_all(tmp_path: Path) -> None:
    (tmp_path / "a1.csv").write_text("kode,tal\n081,1\n")
    (tmp_path / "a2.csv").write_text("kode,tal\n860,2\n")
    assert read_table(tmp_path / "a*.csv").frame.get_column("kode").to_list() == ["081", "860"]


def test_every_format_is_entered_once() -> None:
    endings = [ending for form in FORMATS.values() for ending in form.extensions]
    assert len(endings) == len(set(endings))
    assert set(FORMATS) == {"csv", "parquet", "arrow", "excel", "stata", "sas", "spss"}
