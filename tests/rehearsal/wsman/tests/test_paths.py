# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows paths and the files behind them."""

from __future__ import annotations

import pytest
from wirefleet_wsman.paths import PathRefusedError


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("C:\\a\\b", "C:\\a\\b"),
        ("c:/a//b/", "C:\\a\\b"),
        ("C:\\a\\..\\..\\..\\b", "C:\\b"),
        ("%ProgramFiles%\\x", "C:\\Program Files\\x"),
        ("%nosuch%\\x", "C:\\users\\tester\\%nosuch%\\x"),
        ("\\\\?\\C:\\a", "C:\\a"),
        ("\\a", "C:\\a"),
        ("here", "C:\\users\\tester\\here"),
        ("C:\\", "C:\\"),
    ],
)
def test_paths_are_normalised_as_windows_does(host, text, normal):
    assert host.paths.normalise(text) == normal


@pytest.mark.parametrize("text", ["D:\\x", "\\\\server\\share", "C:relative", "C:\\a|b", "C:\\a:stream", "C:\\a\0b"])
def test_paths_that_a_host_does_not_have_are_refused(host, text):
    with pytest.raises(PathRefusedError):
        host.paths.to_local(text)


def test_files_are_found_whatever_the_case_and_made_as_asked(host, drive):
    (drive / "Program Files" / "上海").mkdir()

    assert host.paths.to_local("c:\\PROGRAM files\\上海\\New") == drive / "Program Files" / "上海" / "New"


def test_a_link_out_of_the_prefix_is_neither_read_nor_written_through(host, drive, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (drive / "ProgramData" / "way").symlink_to(outside)

    for writing in (False, True):
        with pytest.raises(PathRefusedError, match="leaves the prefix"):
            host.paths.to_local("C:\\ProgramData\\way\\file", writing=writing)


def test_what_the_prefix_shares_can_be_read_and_not_written(host, drive, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (drive / "Python311").symlink_to(shared)

    assert host.paths.to_local("C:\\Python311\\python.exe").parent.resolve() == shared
    with pytest.raises(PathRefusedError):
        host.paths.to_local("C:\\Python311\\python.exe", writing=True)
