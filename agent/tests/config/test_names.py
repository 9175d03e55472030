# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import unicodedata

import pytest
from wirefleet_agent.config.names import is_linux_name, is_tunnel_name, is_windows_name


@pytest.mark.parametrize("name", ["wf0", "a", "=+.-_", "WF0", "sixteen-letters", "..."])
def test_names_of_interfaces_are_legal_on_linux(name: str) -> None:
    assert is_linux_name(name)
    assert is_tunnel_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "sixteen-letters-", "上海-01", "a/b", "a b", "wf0\n"])
def test_other_names_are_not(name: str) -> None:
    assert not is_linux_name(name)


@pytest.mark.parametrize(
    "name", ["wf0", "上海-01", "Zürich_2", "a" * 32, "со-склада", "console", "con1", "com10", ".a"]
)
def test_names_of_files_in_any_script_are_legal_on_windows(name: str) -> None:
    assert is_windows_name(name)
    assert is_tunnel_name(name)


@pytest.mark.parametrize("name", ["", "a" * 33, "a/b", "a\\b", "a:b", "a b", "wf0\n", "wf0\0", "wf%0", 'a"b', "a*b"])
def test_what_would_be_a_path_or_a_pattern_is_not(name: str) -> None:
    assert not is_windows_name(name)


@pytest.mark.parametrize("name", ["con", "CON", "Aux", "nul.txt", "COM1", "lpt9", "com0.x", "COM¹", "lpt³.a"])
def test_devices_of_dos_are_no_names_on_windows(name: str) -> None:
    assert not is_windows_name(name)


@pytest.mark.parametrize("name", ["wf0.", "wf.0.", "."])
def test_a_final_dot_which_windows_would_cut_off_is_refused(name: str) -> None:
    assert not is_windows_name(name)


def test_only_the_composed_spelling_is_legal_on_windows() -> None:
    assert is_windows_name("Zürich")
    assert not is_windows_name(unicodedata.normalize("NFD", "Zürich"))


@pytest.mark.parametrize("name", ["identity", "Identity", "IDENTITY"])
def test_the_hosts_own_key_has_its_name_for_itself_in_any_case(name: str) -> None:
    assert not is_windows_name(name)


def test_a_name_that_is_legal_nowhere_is_none() -> None:
    assert not is_tunnel_name("a" * 33)
    assert is_tunnel_name("CON")  # Linux has no such device
