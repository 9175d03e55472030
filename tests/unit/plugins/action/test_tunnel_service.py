# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import zipfile

import pytest
from ansible_collections.wirefleet.wireguard.plugins.action.tunnel_service import ActionModule

MANIFEST = json.dumps({"version": "0.2.0"}).encode()
DIGEST = hashlib.sha256(MANIFEST).hexdigest()
OLD = {"version": "0.1.0", "digest": "old", "active": True}
NEW = {"version": "0.2.0", "digest": DIGEST, "active": True}
BROKEN_START = {"error": {"code": "not_reachable", "message": "no answer", "path": None, "hint": "look into the log"}}


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "wirefleet-agent-0.2.0.pyz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", MANIFEST)
    return str(path)


def installed(host, release, *, running, running_release=None):
    host.replies[("release", "list")] = {"current": release["version"], "previous": None, "releases": [release]}
    host.replies[("status",)] = {"running": running, "release": running_release or release["version"]}
    host.replies[("daemon", "start")] = {"changed": True, "running": True, "pid": 7}
    host.replies[("daemon", "stop")] = {"changed": True, "running": False, "pid": None}
    host.replies[("release", "activate")] = {"changed": True, "current": "0.2.0", "previous": "0.1.0"}
    host.replies[("install",)] = {"changed": True, "version": "0.2.0", "digest": DIGEST}


def test_fresh_host_gets_the_bundle_the_release_and_a_running_daemon(host, run_action, bundle):
    host.replies[("install",)] = {"changed": True, "version": "0.2.0", "digest": DIGEST}
    host.replies[("release", "activate")] = {"changed": True, "current": "0.2.0", "previous": None}
    host.replies[("daemon", "start")] = {"changed": True, "running": True, "pid": 7}

    result = run_action(ActionModule, {"root": "/srv/lab", "bundle": bundle, "python": "/usr/bin/python3.11"})

    assert result["changed"] is True
    assert (result["release"], result["previous_release"], result["running"]) == ("0.2.0", None, True)
    assert host.transfers == [(bundle, "/tmp/ansible-tmp-1/wirefleet-agent-0.2.0.pyz")]
    assert host.calls[1].argv[:3] == ["/usr/bin/python3.11", "/tmp/ansible-tmp-1/wirefleet-agent-0.2.0.pyz", "install"]
    assert host.calls[2].argv[0] == "/srv/lab/opt/wirefleet/releases/0.2.0/bin/wirefleet-agent"


def test_converged_host_is_only_looked_at(host, run_action, bundle):
    installed(host, NEW, running=True)

    result = run_action(ActionModule, {"root": "/srv/lab", "bundle": bundle})

    assert result["changed"] is False
    assert host.transfers == []
    assert host.verbs() == ["release list", "status"]


def test_upgrade_restarts_the_daemon(host, run_action, bundle):
    installed(host, OLD, running=True)

    result = run_action(ActionModule, {"root": "/srv/lab", "bundle": bundle}, diff=True)

    assert [verb for verb in host.verbs() if verb.startswith("daemon")] == ["daemon stop", "daemon start --wait"]
    assert result["previous_release"] == "0.1.0"
    assert result["diff"]["before"] == "release: 0.1.0\nrunning: yes\n"
    assert result["diff"]["after"] == "release: 0.2.0\nrunning: yes\n"


def test_daemon_that_still_runs_an_older_release_is_restarted(host, run_action, bundle):
    installed(host, NEW, running=True, running_release="0.1.0")

    result = run_action(ActionModule, {"root": "/srv/lab", "bundle": bundle})

    assert result["changed"] is True
    assert "daemon start --wait" in host.verbs()


def test_release_that_does_not_start_is_taken_back(host, run_action, bundle):
    installed(host, OLD, running=True)
    host.replies[("daemon", "start")] = [BROKEN_START, {"changed": True, "running": True, "pid": 8}]

    result = run_action(ActionModule, {"root": "/srv/lab", "bundle": bundle})

    assert result["failed"] is True
    assert result["error"]["code"] == "rolled_back"
    assert "release activate 0.1.0" in host.verbs()
    assert host.verbs()[-1] == "daemon start --wait"


def test_way_back_that_fails_too_is_told(host, run_action, bundle):
    installed(host, OLD, running=True)
    host.replies[("daemon", "start")] = BROKEN_START

    assert run_action(ActionModule, {"root": "/srv/lab", "bundle": bundle})["error"]["code"] == "rollback_failed"


def test_first_release_that_does_not_start_has_no_way_back(host, run_action, bundle):
    host.replies[("install",)] = {"changed": True, "version": "0.2.0", "digest": DIGEST}
    host.replies[("release", "activate")] = {"changed": True, "current": "0.2.0", "previous": None}
    host.replies[("daemon", "start")] = BROKEN_START

    assert run_action(ActionModule, {"root": "/srv/lab", "bundle": bundle})["error"]["code"] == "not_reachable"


def test_release_that_was_installed_before_is_activated_without_copying(host, run_action, bundle):
    installed(host, OLD, running=False)
    host.replies[("release", "list")]["releases"] = [OLD, {**NEW, "active": False}]

    run_action(ActionModule, {"root": "/srv/lab", "bundle": bundle, "state": "present"})

    assert host.transfers == []
    assert "release activate 0.2.0" in host.verbs()


@pytest.mark.parametrize(
    ("state", "running", "expected"),
    [
        ("present", False, []),
        ("present", True, []),
        ("started", True, []),
        ("started", False, ["daemon start --wait"]),
        ("restarted", True, ["daemon stop", "daemon start --wait"]),
        ("restarted", False, ["daemon start --wait"]),
        ("stopped", True, ["daemon stop"]),
        ("stopped", False, []),
    ],
)
def test_state_decides_what_happens_to_the_daemon(host, run_action, state, running, expected):
    installed(host, NEW, running=running)

    result = run_action(ActionModule, {"root": "/srv/lab", "state": state})

    assert [verb for verb in host.verbs() if verb.startswith("daemon")] == expected
    assert result["changed"] is bool(expected)


@pytest.mark.parametrize("is_installed", [True, False])
def test_check_mode_changes_nothing(host, run_action, bundle, is_installed):
    if is_installed:
        installed(host, OLD, running=True)

    result = run_action(ActionModule, {"root": "/srv/lab", "bundle": bundle}, check_mode=True)

    assert result["changed"] is True
    assert host.transfers == []
    assert set(host.verbs()) <= {"release list", "status"}


def test_no_agent_and_no_bundle_is_an_error(run_action):
    assert run_action(ActionModule, {"root": "/srv/lab"})["error"]["code"] == "no_bundle"


def test_file_that_is_no_bundle_is_an_error(run_action, tmp_path):
    (tmp_path / "x.pyz").write_text("no zip")

    assert (
        run_action(ActionModule, {"root": "/srv/lab", "bundle": str(tmp_path / "x.pyz")})["error"]["code"]
        == "no_bundle"
    )


def test_absent_stops_the_daemon_and_removes_programs_but_no_keys(host, run_action):
    installed(host, NEW, running=True)
    host.modules["ansible.builtin.file"] = {"changed": True}

    result = run_action(ActionModule, {"root": "/srv/lab", "state": "absent"})

    assert result["changed"] is True
    assert "daemon stop" in host.verbs()
    paths = [call.arguments["path"] for call in host.calls if call.module == "ansible.builtin.file"]
    assert paths == ["/srv/lab/opt/wirefleet", "/srv/lab/run/wirefleet"]


def test_purge_removes_keys_configuration_and_logs_too(host, run_action):
    run_action(ActionModule, {"root": "/srv/lab", "state": "absent", "purge": True})

    paths = [call.arguments["path"] for call in host.calls if call.module == "ansible.builtin.file"]
    assert paths[2:] == ["/srv/lab/etc/wirefleet", "/srv/lab/var/lib/wirefleet", "/srv/lab/var/log/wirefleet"]


def test_absent_host_stays_absent(run_action):
    assert run_action(ActionModule, {"root": "/srv/lab", "state": "absent", "purge": True})["changed"] is False


def test_systemd_needs_the_real_root(run_action):
    assert run_action(ActionModule, {"root": "/srv/lab", "backend": "systemd"})["error"]["code"] == "usage"


@pytest.mark.parametrize(("has_systemd", "backend"), [(True, "systemd"), (False, "process")])
def test_auto_asks_the_host_whether_systemd_started_it(host, run_action, has_systemd, backend):
    installed(host, NEW, running=True)
    host.modules["ansible.builtin.stat"] = {"stat": {"exists": has_systemd}}

    assert run_action(ActionModule, {})["backend"] == backend


def test_the_agents_own_systemd_unit_is_installed_enabled_and_started(host, run_action):
    installed(host, NEW, running=False)
    host.replies[("status",)] = [{"running": False, "release": None}, {"running": True, "release": "0.2.0"}]
    host.modules["ansible.builtin.copy"] = {"changed": True}
    host.modules["ansible.builtin.systemd_service"] = {"changed": True}

    result = run_action(ActionModule, {"backend": "systemd", "tunnel": "wf0"})

    assert result["changed"] is True
    copy = next(call.arguments for call in host.calls if call.module == "ansible.builtin.copy")
    assert copy == {
        "src": "/opt/wirefleet/current/share/wirefleet-agent@.service",
        "dest": "/etc/systemd/system/wirefleet-agent@.service",
        "mode": "0644",
        "remote_src": True,
    }
    systemctl = [call.arguments for call in host.calls if call.module == "ansible.builtin.systemd_service"]
    assert systemctl == [
        {"name": "wirefleet-agent@wf0.service", "enabled": True, "daemon_reload": True},
        {"name": "wirefleet-agent@wf0.service", "state": "started"},
    ]


def test_systemd_unit_is_disabled_and_removed_with_the_agent(host, run_action):
    host.modules["ansible.builtin.file"] = {"changed": True}
    host.modules["ansible.builtin.systemd_service"] = [
        {"failed": True, "msg": "Could not find the requested service wirefleet-agent@wf0.service: host"},
        {"changed": False},
    ]

    result = run_action(ActionModule, {"backend": "systemd", "state": "absent"})

    assert result["changed"] is True
    assert host.calls[2].arguments == {"path": "/etc/systemd/system/wirefleet-agent@.service", "state": "absent"}


def test_systemd_that_refuses_is_told(host, run_action):
    installed(host, NEW, running=False)
    host.modules["ansible.builtin.systemd_service"] = {"failed": True, "msg": "Unable to start service"}

    result = run_action(ActionModule, {"backend": "systemd"})

    assert result["failed"] is True
    assert "Unable to start service" in result["msg"]
