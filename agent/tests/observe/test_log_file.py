# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
from pathlib import Path

import pytest
from wirefleet_agent.observe import LogFile


def test_a_file_without_a_limit_is_never_rotated(tmp_path):
    log = LogFile(tmp_path / "wf0.log", max_bytes=0)

    for _ in range(100):
        log.write("a line\n")
    log.close()

    assert [path.name for path in tmp_path.iterdir()] == ["wf0.log"]


def test_a_file_at_its_limit_goes_on_under_its_own_name(tmp_path):
    log = LogFile(tmp_path / "wf0.log", max_bytes=20)

    for number in range(4):
        log.write(f"line {number}\n")
    log.close()

    assert (tmp_path / "wf0.log").read_text() == "line 2\nline 3\n"
    assert (tmp_path / "wf0.log.1").read_text() == "line 0\nline 1\n"


def test_the_size_of_a_file_that_was_there_before_counts(tmp_path):
    (tmp_path / "wf0.log").write_text("x" * 15)
    log = LogFile(tmp_path / "wf0.log", max_bytes=20)

    log.write("a new line\n")
    log.close()

    assert (tmp_path / "wf0.log").read_text() == "a new line\n"
    assert (tmp_path / "wf0.log.1").read_text() == "x" * 15


def test_five_old_files_are_kept(tmp_path):
    log = LogFile(tmp_path / "wf0.log", max_bytes=5)

    for number in range(9):
        log.write(f"{number:04d}\n")
    log.close()

    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert sorted(kept) == ["wf0.log", *(f"wf0.log.{number}" for number in range(1, 6))]
    assert kept["wf0.log"] == "0008\n"
    assert kept["wf0.log.5"] == "0003\n"


def test_a_line_longer_than_the_limit_is_written_whole(tmp_path):
    log = LogFile(tmp_path / "wf0.log", max_bytes=5)

    log.write("long enough to need a file of its own\n")
    log.close()

    assert (tmp_path / "wf0.log").read_text() == "long enough to need a file of its own\n"


@pytest.mark.windows_only  # nowhere else does a reader keep others from renaming a file
def test_a_reader_that_has_the_file_open_costs_no_line(tmp_path):
    log = LogFile(tmp_path / "wf0.log", max_bytes=8)
    log.write("line 0\n")

    with (tmp_path / "wf0.log").open():
        log.write("line 1\n")
    log.close()

    written = "".join(path.read_text() for path in sorted(tmp_path.iterdir(), reverse=True))
    assert sorted(written.split()) == ["0", "1", "line", "line"]


def test_a_reader_that_keeps_the_file_open_costs_no_old_file(tmp_path, monkeypatch):
    log = LogFile(tmp_path / "log", max_bytes=8)
    for number in range(6):
        log.write(f"line {number}\n")
    plain_replace = Path.replace

    def refuse(path: Path, target: Path) -> Path:
        if path.name == "log":
            raise PermissionError(13, "somebody reads it")
        return plain_replace(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    for number in range(6, 12):
        log.write(f"line {number}\n")
    log.close()

    assert (tmp_path / "log").read_text().splitlines() == [f"line {number}" for number in range(5, 12)]
    old = [(tmp_path / f"log.{number}").read_text() for number in range(1, 6)]
    assert old == [f"line {number}\n" for number in (4, 3, 2, 1, 0)]


def test_a_file_that_could_not_be_opened_after_a_rotation_is_opened_for_the_next_line(tmp_path, monkeypatch):
    log = LogFile(tmp_path / "log", max_bytes=10)
    log.write("first line\n")
    plain_open = os.open

    def refuse(*_arguments: object) -> int:
        raise PermissionError(13, "a scanner has it")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError):
        log.write("second line\n")
    monkeypatch.setattr(os, "open", plain_open)
    log.write("third line\n")
    log.close()

    assert (tmp_path / "log").read_text() == "third line\n"
