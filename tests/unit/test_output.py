"""What a user had before stays when a run fails, and other people's files are not overwritten."""

from pathlib import Path

import pytest

from evaluation import output
from evaluation.errors import UsageError

OWN_PAGE = b'<html><meta name="generator" content="nettoeffekt 0.1.0">'
OWN_JSON = '{"headline": {}, "verdict": {}, "provenance": {}}'


def check(folder, name="jobs", **keywords):
    output.check_places(folder, name, available=("en",), **keywords)


def test_a_failure_while_writing_leaves_every_old_file_and_no_litter(tmp_path, monkeypatch):
    old = tmp_path / "page.html"
    old.write_text("before")
    files = {old: b"after", tmp_path / "data.json": b"{}"}
    real = output.tempfile.mkstemp
    calls = []

    def full_disk(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(*args, **kwargs)

    monkeypatch.setattr(output.tempfile, "mkstemp", full_disk)
    with pytest.raises(OSError, match="No space left"):
        output._replace_all(files)
    assert old.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize(("moved", "said"), [(0, ""), (1, "interrupted while writing; some files may be from before")])
def test_an_interrupt_says_whether_anything_was_replaced(tmp_path, monkeypatch, moved, said):
    real = output.os.replace
    calls = []

    def stop(*args):
        calls.append(1)
        if len(calls) > moved:
            raise KeyboardInterrupt
        real(*args)

    monkeypatch.setattr(output.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt) as caught:
        output._replace_all({tmp_path / "a.html": b"a", tmp_path / "b.html": b"b"})
    assert str(caught.value) == said
    assert len(list(tmp_path.iterdir())) == moved


def test_strangers_are_refused_and_own_files_are_not(tmp_path):
    (tmp_path / "jobs.html").write_bytes(OWN_PAGE)
    check(tmp_path)
    (tmp_path / "jobs.html").write_text("<html>my homepage</html>")
    with pytest.raises(UsageError, match=r"jobs\.html: this file was not written by evaluate; --force replaces it"):
        check(tmp_path)
    check(tmp_path, force=True)


@pytest.mark.parametrize("text", ['{"provenance": 1}', '["headline", "verdict", "provenance"]', "{", "", "[" * 5000])
def test_json_of_others_is_refused(tmp_path, text):
    (tmp_path / "jobs.json").write_text(text)
    with pytest.raises(UsageError, match="was not written by evaluate"):
        check(tmp_path)
    (tmp_path / "jobs.json").write_text(OWN_JSON)
    check(tmp_path)


@pytest.mark.parametrize("name", ["weights.csv", "check_pre_trends.csv"])
def test_tables_of_others_are_refused(tmp_path, name):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / name).write_text("mine")
    (tmp_path / "jobs" / "other.csv").write_text("mine, and not in the way")
    with pytest.raises(UsageError) as caught:
        check(tmp_path)
    assert [Path(problem.what.split(":")[0]).name for problem in caught.value.problems] == [name]
    check(tmp_path, force=True)
    (tmp_path / "jobs.json").write_text(OWN_JSON)
    check(tmp_path)


@pytest.mark.parametrize("force", [False, True])
def test_what_the_run_reads_is_never_written_over(tmp_path, force):
    (tmp_path / "jobs").mkdir()
    data = tmp_path / "jobs" / "weights.csv"
    data.write_text("the data")
    link = tmp_path / "link.csv"
    link.symlink_to(data)
    (tmp_path / "jobs.json").write_text(OWN_JSON)
    for read in (data, link, tmp_path / "jobs" / ".." / "jobs" / "weights.csv"):
        with pytest.raises(UsageError, match=r"the run reads this file, so it is not written over; --output DIR"):
            check(tmp_path, inputs=(read,), force=force)


def test_a_folder_in_the_way_of_a_file_and_a_file_in_the_way_of_a_folder(tmp_path):
    (tmp_path / "jobs.html").mkdir()
    with pytest.raises(UsageError, match="this is a folder, and a file is written here"):
        check(tmp_path, force=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="this is a file, and a folder is needed here"):
        check(tmp_path / "file", force=True)
    with pytest.raises(UsageError, match="this is a file, and a folder is needed here"):
        check(tmp_path / "file" / "deeper")
    with pytest.raises(UsageError, match="this is a file, and a folder is needed here"):
        check(tmp_path, name="file")


@pytest.mark.parametrize("name", ["..", ".", ""])
def test_a_name_that_leads_out_of_the_folder(tmp_path, name):
    with pytest.raises(UsageError, match="no file can be called"):
        check(tmp_path, name=name)


def test_a_folder_that_may_not_be_written_to_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(output.os, "access", lambda *_: False)
    with pytest.raises(UsageError, match="this folder may not be written to") as caught:
        check(tmp_path / "new")
    assert len(caught.value.problems) == 1


def test_files_are_written_whole(tmp_path):
    target: Path = tmp_path / "new" / "folder" / "x.csv"
    output._replace_all({target: b"a,b\n"})
    assert target.read_bytes() == b"a,b\n"
    assert target.stat().st_mode & 0o777 == 0o644
