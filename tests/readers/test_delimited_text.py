"""Text files: what is certain is read, what is not is said, and nothing is guessed in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.readers import Settings, Table, UnreadableError, read_table


def read(folder: Path, content: str | bytes, name: str = "a.csv", **settings: str) -> Table:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(file, Settings(**settings))  # type: ignore[arg-type]


def column(table: Table, name: str) -> list[object]:
    return table.frame.get_column(name).to_list()


ROWS = "kommune{0}år{0}andel\nHjørring{0}2015{0}70{1}5\nÆrø{0}2016{0}71{1}25\n"


@pytest.mark.parametrize(("delimiter", "word"), [(";", "semicolon"), ("\t", "tab"), ("|", "bar")])
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize(
    ("encoding", "label"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8 with byte order mark"),
        ("iso-8859-1", "ISO-8859-1"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16-LE without byte order mark"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_every_spelling_gives_the_same_table_and_is_reported(
    tmp_path: Path, delimiter: str, word: str, decimal: str, encoding: str, label: str, line_end: str
) -> None:
    table = read(tmp_path, ROWS.format(delimiter, decimal).replace("\n", line_end).encode(encoding))
    assert table.frame.columns == ["kommune", "år", "andel"]
    assert column(table, "kommune") == ["Hjørring", "Ærø"]
    assert column(table, "år") == [2015, 2016]
    assert column(table, "andel") == [70.5, 71.25]
    read_as = table.inputs[0].read_as
    assert read_as["delimiter"] == word
    assert read_as["decimal"] == ("comma" if decimal == "," else "point")
    assert read_as["encoding"] == label


def test_windows_1252_is_told_from_iso_8859_1_by_its_own_characters(tmp_path: Path) -> None:
    table = read(tmp_path, "navn;tal\nHjørring – by;1\n".encode("cp1252"))
    assert table.inputs[0].read_as["encoding"] == "Windows-1252"
    assert column(table, "navn") == ["Hjørring – by"]


def test_codes_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    table = read(tmp_path, "kode,tal\n081,1\n860,2\n")
    assert column(table, "kode") == ["081", "860"]
    assert "leading zeros" in table.remarks["kode"]


def test_statbank_marks_are_missing_never_zero_and_a_dash_is_remarked_on(tmp_path: Path) -> None:
    table = read(tmp_path, "a;b\nx;..\ny;-\nz;1,5\nv;\n")
    assert column(table, "b") == [None, None, 1.5, None]
    assert table.inputs[0].read_as["read_as_missing"] == {"..": 1, "-": 1}
    assert [note.code for note in table.notes] == ["dash_is_missing"]


def test_marks_for_missing_stay_text_in_a_column_of_text(tmp_path: Path) -> None:
    # "NA" is Namibia's code, and a name may be a dash
    assert column(read(tmp_path, "land;tal\nNA;1\nDK;2\n-;3\n"), "land") == ["NA", "DK", "-"]


def test_a_column_of_marks_alone_is_a_column_without_numbers(tmp_path: Path) -> None:
    assert column(read(tmp_path, "a;b\nx;..\ny;..\n"), "b") == [None, None]


@pytest.mark.parametrize("number", ["1.234", "1,234"])
def test_a_number_that_can_be_read_two_ways_stays_text_with_the_remedy(tmp_path: Path, number: str) -> None:
    table = read(tmp_path, f"a;b\nx;{number}\ny;999\n")
    assert column(table, "b") == [number, "999"]
    assert "set decimal" in table.remarks["b"]


def test_the_decimal_mark_of_another_column_settles_thousands_but_does_not_read_them(tmp_path: Path) -> None:
    table = read(tmp_path, "a;b\n1.234;0,5\n2.345;1,5\n")
    assert column(table, "b") == [0.5, 1.5]
    assert column(table, "a") == ["1.234", "2.345"]
    assert "thousands separators" in table.remarks["a"]


def test_between_commas_a_point_can_only_be_the_decimal_mark(tmp_path: Path) -> None:
    assert column(read(tmp_path, "a,b\nx,1.234\ny,2.345\n"), "b") == [1.234, 2.345]


def test_a_decimal_mark_that_was_asked_for_decides(tmp_path: Path) -> None:
    assert column(read(tmp_path, "a;b\nx;1,234\n", decimal=","), "b") == [1.234]
    table = read(tmp_path, "a;b\nx;1,234\n", decimal=".")
    assert column(table, "b") == ["1,234"]
    assert "thousands" in table.remarks["b"]


@pytest.mark.parametrize("number", ["1.234,5", "1 234,5", "12\u00a0345,5", "1'234.5", "1.234.567"])
def test_thousands_separators_are_never_read(tmp_path: Path, number: str) -> None:
    table = read(tmp_path, f"a;b\nx;{number}\ny;{number}\n")
    assert column(table, "b") == [number, number]
    assert table.remarks["b"] == "2 rows have thousands separators; write the numbers without them"


def test_comma_and_point_in_one_column_are_refused_not_averaged(tmp_path: Path) -> None:
    assert "one file must keep to one" in read(tmp_path, "a;b\nx;1,5\ny;2.5\n").remarks["b"]


def test_quoted_fields_may_hold_delimiters_line_breaks_and_quotation_marks(tmp_path: Path) -> None:
    table = read(tmp_path, 'navn,tal\n"Læsø, ø",1\n"to\nlinjer",2\n"et ""citat""",3\n')
    assert column(table, "navn") == ["Læsø, ø", "to\nlinjer", 'et "citat"']
    assert column(table, "tal") == [1, 2, 3]


def test_the_lines_excel_adds_are_dropped(tmp_path: Path) -> None:
    table = read(tmp_path, "sep=;\na;b;\nx;1;\ny;2;\n;;\n;;\n")
    assert table.frame.columns == ["a", "b"]
    assert column(table, "b") == [1, 2]


def test_a_line_cut_off_is_named_by_its_number_and_its_content_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"line 3\)") as caught:
        read(tmp_path, "a;b\nsecret;1\nsecret\nx;2\n")
    assert "secret" not in str(caught.value)


def test_two_delimiters_that_both_fit_are_not_chosen_between(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="set delimiter") as caught:
        read(tmp_path, "a,b;c\n1,2;3\n")
    assert caught.value.key == "delimiter"


def test_text_that_was_encoded_twice_is_remarked_on(tmp_path: Path) -> None:
    table = read(tmp_path, "navn;tal\nHjørring;1\n".encode().decode("iso-8859-1").encode())
    assert [note.code for note in table.notes] == ["encoded_twice"]


def test_reading_needs_no_pandas() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from evaluation.readers import read_table; from evaluation.frames import panel_from_frame;"
        "t = read_table('specs/data/ras200_employment_rate.csv');"
        "panel_from_frame(t.frame, unit='area', time='year', outcome='employment_rate_pct', treated=['Hjørring'], start=2015);"
        "assert 'pandas' not in sys.modules"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


def test_an_exponent_without_a_decimal_mark_is_a_number_and_a_code_is_none(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b,c\n1e-05,12E3,1e+20\n0.5,45E1,2\n")
    assert column(table, "a") == [1e-05, 0.5]
    assert column(table, "b") == ["12E3", "45E1"]
    assert column(table, "c") == [1e20, 2.0]
    assert column(read(tmp_path, "a;b\n1e-05;1,5\n2;2\n"), "a") == [1e-05, 2.0]
