# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.playbook.play_context import PlayContext
from ansible.plugins.connection.local import Connection as LocalConnection
from ansible_collections.wirefleet.wireguard.plugins.connection import netns


@pytest.fixture
def connect(tmp_path, monkeypatch):
    """connect(namespace): a connection, where only the namespace wf-hub-1 exists; its commands are recorded."""
    (tmp_path / "wf-hub-1").touch()
    monkeypatch.setattr(netns, "NETNS_DIRECTORY", tmp_path)
    ran = []

    def make(namespace, answer=(0, b"", b"")):
        connection = netns.Connection(PlayContext())
        options = {"namespace": namespace, "nsenter": "nsenter", "hint": "run playbooks/lab_up.yml"}
        monkeypatch.setattr(connection, "get_option", lambda name, hostvars=None: options[name])
        monkeypatch.setattr(LocalConnection, "exec_command", lambda self, cmd, **_: ran.append(cmd) or answer)
        return connection, ran

    return make


def test_commands_run_inside_the_namespace(connect, tmp_path):
    connection, ran = connect("wf-hub-1")

    connection.exec_command("echo 'a b'")

    assert ran == [f"exec nsenter --net={tmp_path}/wf-hub-1 -- /bin/sh -c 'echo '\"'\"'a b'\"'\"''"]


def test_missing_namespace_makes_the_host_unreachable_and_says_what_to_do(connect):
    connection, _dummy = connect("wf-hub-9")

    with pytest.raises(AnsibleConnectionFailure, match=r"wf-hub-9.*run playbooks/lab_up.yml"):
        connection._connect()


@pytest.mark.parametrize("name", ["", "../etc", "a/b"])
def test_name_that_is_a_path_is_refused(connect, name):
    connection, _dummy = connect(name)

    with pytest.raises(AnsibleConnectionFailure, match="not the name"):
        connection.exec_command("true")


def test_namespace_that_may_not_be_entered_names_the_way_in(connect):
    failure = (1, b"", b"nsenter: reassociate to namespace 'ns/net' failed: Operation not permitted")
    connection, _dummy = connect("wf-hub-1", failure)

    with pytest.raises(AnsibleConnectionFailure, match="lab/enter"):
        connection.exec_command("true")


def test_command_that_fails_is_no_connection_failure(connect):
    connection, _dummy = connect("wf-hub-1", (3, b"", b"no"))

    assert connection.exec_command("false") == (3, b"", b"no")
