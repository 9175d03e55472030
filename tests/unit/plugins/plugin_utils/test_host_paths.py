# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import is_windows_tunnel_name
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.host_paths import (
    CMD_SPECIALS,
    WINDOWS_ROOT,
    agent_command,
    check_tunnel,
    host_root,
    release_argv,
)
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.windows_names import image_path, is_protected_place


@pytest.mark.parametrize("given", ["/", ""])
def test_root_of_windows_hosts_is_where_users_can_create_nothing(given):
    assert host_root(given, is_windows=True) == WINDOWS_ROOT == "C:\\Program Files\\WireFleet"


def test_root_of_linux_hosts_stays_as_it_is():
    assert host_root("/srv/lab hosts/%x", is_windows=False) == "/srv/lab hosts/%x"


@pytest.mark.parametrize("given", ["D:\\Apps\\WireFleet\\", "D:/Apps/WireFleet"])
def test_roots_are_written_in_one_way(given):
    assert host_root(given, is_windows=True) == "D:\\Apps\\WireFleet"


@pytest.mark.parametrize("character", CMD_SPECIALS)
def test_characters_that_cmd_would_interpret_are_refused_in_roots(character):
    with pytest.raises(AgentError, match="would interpret"):
        host_root(f"C:\\a{character}b", is_windows=True)


@pytest.mark.parametrize(
    "given",
    ["C:\\", "C:", "\\\\server\\share", "WireFleet", "..\\x", "C:\\a\\..\\b", "C:\\a\nb", "C:\\a*", "/srv/lab", "C:x"],
)
def test_what_is_no_directory_of_its_own_on_a_drive_is_refused(given):
    with pytest.raises(AgentError) as caught:
        host_root(given, is_windows=True)

    assert (caught.value.code, caught.value.path) == ("usage", "root")


@pytest.mark.parametrize("character", CMD_SPECIALS + "\n\t\0 /\\:*?")
def test_tunnels_on_windows_have_no_character_that_anybody_interprets(character):
    with pytest.raises(AgentError, match="cannot be a tunnel on Windows"):
        check_tunnel(f"wf{character}0", is_windows=True)


@pytest.mark.parametrize("name", ["上海-01", "wf0", "a" * 32, "é", "CONX", "wf.0", "identity2", "_x"])
def test_windows_takes_these_tunnels(name):
    assert is_windows_tunnel_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a" * 33,
        "CON",
        "con",
        "nul.txt",
        "COM1",
        "lpt9.x",
        "COM\u00b9",
        "wf.",
        "identity",
        "IDENTITY",
        "e\u0301",
        "-x",
    ],
)
def test_windows_takes_no_devices_no_two_spellings_and_no_keys_of_others(name):
    assert not is_windows_tunnel_name(name)


def test_a_release_is_called_by_its_own_program():
    assert release_argv(WINDOWS_ROOT, "0.2.0", is_windows=True) == [
        "C:\\Program Files\\WireFleet\\releases\\0.2.0\\python.exe", "-I", "-m", "wirefleet_agent",
    ]  # fmt: skip
    assert release_argv("/", "0.2.0", is_windows=False) == ["/opt/wirefleet/releases/0.2.0/bin/wirefleet-agent"]


def test_the_active_release_is_called_by_one_command():
    assert agent_command(WINDOWS_ROOT, is_windows=True) == "C:\\Program Files\\WireFleet\\wirefleet-agent.cmd"
    assert agent_command("/", is_windows=False) == "/opt/wirefleet/current/bin/wirefleet-agent"


def test_command_line_of_the_service_names_one_release_and_quotes_every_path():
    assert image_path(WINDOWS_ROOT, "0.2.0", "上海-01") == (
        '"C:\\Program Files\\WireFleet\\releases\\0.2.0\\python.exe" -I -m wirefleet_agent'
        ' --root "C:\\Program Files\\WireFleet" --tunnel "上海-01" service'
    )


@pytest.mark.parametrize(
    ("root", "is_protected"),
    [
        (WINDOWS_ROOT, True),
        ("c:\\program files\\x", True),
        ("D:\\WireFleet", False),
        ("C:\\Data\\Program Files", False),
    ],
)
def test_only_program_files_is_known_to_be_closed_to_users(root, is_protected):
    assert is_protected_place(root) is is_protected
