"""What a user had before stays when a run fails, and other people's files are not overwritten."""

from pathlib import Path

import pytest

from evaluation import output
from evaluation.errors import UsageError


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


def test_strangers_are_refused_and_own_files_are_not(tmp_path):
    stranger, own = tmp_path / "a.html", tmp_path / "b.html"
    stranger.write_text("<html>my homepage</html>")
    own.write_bytes(b'<html><meta name="generator" content="nettoeffekt 0.1.0">')
    output._refuse_strangers({own: b""})
    with pytest.raises(UsageError, match="was not written by evaluate"):
        output._refuse_strangers({own: b"", stranger: b""})


def test_files_are_written_whole(tmp_path):
    target: Path = tmp_path / "new" / "folder" / "x.csv"
    output._replace_all({target: b"a,b\n"})
    assert target.read_bytes() == b"a,b\n"
    assert target.stat().st_mode & 0o777 == 0o644
