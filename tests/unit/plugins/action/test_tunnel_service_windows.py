# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tunnel_service on Windows: which modules and verbs it calls, in which order, and what it makes of their answers."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.wirefleet.wireguard.plugins.action.tunnel_service import ActionModule
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.backend_scm import TUNNEL_ATTEMPTS

ROOT = "C:\\Program Files\\WireFleet"
MANIFEST = json.dumps({"version": "0.2.0"}).encode()
DIGEST = hashlib.sha256(MANIFEST).hexdigest()
OLD = {"version": "0.1.0", "digest": "old", "active": True}
NEW = {"version": "0.2.0", "digest": DIGEST, "active": True}
SERVICE = "ansible.windows.win_service"
INFO = "ansible.windows.win_service_info"
RULE = "community.windows.win_firewall_rule"
FILE = "ansible.windows.win_file"
STAT = "ansible.windows.win_stat"
RUNNING = {"exists": True, "services": [{"name": "wirefleet-wf0", "state": "started"}]}
NO_SERVICE = {"exists": False, "services": []}
LOST = AnsibleConnectionFailure("winrm connection error: read timed out")


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "wirefleet-agent-0.2.0-win_amd64.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", MANIFEST)
    return str(path)


@pytest.fixture
def windows(host, bundle):
    """A Windows host without the agent, which takes what it is given."""
    host.is_windows = True
    checksum = hashlib.sha256(Path(bundle).read_bytes()).hexdigest()
    host.modules[STAT] = {"stat": {"exists": True, "checksum": checksum}}
    host.modules[SERVICE] = {"changed": True}
    host.modules[INFO] = NO_SERVICE
    host.modules[RULE] = {"changed": False}
    host.replies[("install",)] = {"changed": True, "version": "0.2.0", "digest": DIGEST}
    host.replies[("release", "activate")] = {"changed": True, "current": "0.2.0", "previous": None}
    host.replies[("secure",)] = {"changed": True, "paths": [{"path": ROOT + "\\config", "changed": True}]}
    host.replies[("daemon", "start")] = {"changed": True, "running": True, "pid": 7}
    host.replies[("daemon", "stop")] = {"changed": True, "running": False, "pid": None}
    return host


def installed(host, release, *, running=True, restarts=()):
    """The host has this release; restarts: what `status` says after each look."""
    host.replies[("release", "list")] = {"current": release["version"], "previous": None, "releases": [release]}
    first = {"running": running, "release": release["version"], "restart": None}
    host.replies[("status",)] = [first, *restarts] if restarts else first
    host.replies[("daemon", "restart")] = {"changed": True, "running": True, "restart_id": "r1"}
    host.replies[("secure",)] = {"changed": False, "paths": []}
    host.modules[SERVICE] = {"changed": False}
    host.modules[INFO] = RUNNING


def restarted(state, restart_id="r1", *, release="0.2.0", running=True, error=None):
    return {
        "running": running,
        "release": release,
        "restart": {"id": restart_id, "state": state, "error": error},
    }


def without_tunnel():
    """The service has restarted and answers, with exit code 0; its tunnel does not come up."""
    error = {"code": "driver", "message": "no adapter", "path": None, "hint": None}
    return {"raw": {"rc": 0, "stdout": json.dumps({**restarted("done"), "error": error})}}


BEFORE = {"running": True, "release": "0.1.0", "restart": None}


def test_fresh_host_is_installed_in_the_order_that_trusts_nothing_before_it_is_checked(windows, run_action, bundle):
    result = run_action(ActionModule, {"bundle": bundle})

    assert result["changed"] is True
    assert (result["backend"], result["release"], result["running"]) == ("scm", "0.2.0", True)
    assert result["program"] == ROOT + "\\releases\\0.2.0\\python.exe"
    assert windows.modules_called() == [
        "win_file", "win_file", "win_copy", "win_stat", "win_unzip", "win_file", "win_service",
    ]  # fmt: skip
    commands = [call.argv for call in windows.calls if call.argv]
    staging = f"{ROOT}\\staging\\{DIGEST[:12]}"
    assert commands[1] == [
        f"{staging}\\runtime\\python.exe", "-I", f"{staging}\\install.pyz", "install", "--root", ROOT, "--json",
    ]  # fmt: skip
    assert commands[2][0] == ROOT + "\\releases\\0.2.0\\python.exe"
    assert windows.verbs()[-2:] == ["secure", "daemon start --wait"]


def test_the_service_has_an_account_without_more_rights_than_it_needs(windows, run_action, bundle):
    run_action(ActionModule, {"bundle": bundle, "tunnel": "上海-01"})

    [service] = windows.arguments_of(SERVICE)
    assert service["name"] == "wirefleet-上海-01"
    assert service["display_name"] == "WireFleet tunnel 上海-01"
    assert service["path"].startswith(f'"{ROOT}\\releases\\0.2.0\\python.exe" -I -m wirefleet_agent --root "{ROOT}"')
    assert service["username"] == "LocalSystem"
    assert service["required_privileges"] == ["SeChangeNotifyPrivilege", "SeLoadDriverPrivilege"]
    assert (service["sid_info"], service["start_mode"]) == ("unrestricted", "delayed")
    assert service["dependencies"] == ["Nsi", "TcpIp"]
    assert [one["delay_ms"] for one in service["failure_actions"]] == [1000, 2000, 4000, 8000, 16000, 32000, 64000]
    assert (service["failure_reset_period_sec"], service["pre_shutdown_timeout_ms"]) == (86400, 30000)


def test_secrets_and_names_travel_as_plain_ascii(windows, run_action, bundle):
    run_action(ActionModule, {"bundle": bundle})

    assert all(call.arguments["stdin"].isascii() for call in windows.calls if call.argv)


def test_bundle_that_changed_on_its_way_is_never_unpacked(windows, run_action, bundle):
    windows.modules[STAT] = {"stat": {"exists": True, "checksum": "0" * 64}}

    result = run_action(ActionModule, {"bundle": bundle})

    assert result["error"]["code"] == "transfer"
    assert "win_unzip" not in windows.modules_called()
    assert windows.arguments_of(FILE)[-1] == {"path": ROOT + "\\staging", "state": "absent"}


@pytest.mark.parametrize("failing", ["ansible.windows.win_copy", "community.windows.win_unzip"])
def test_staging_is_removed_after_every_failure(windows, run_action, bundle, failing):
    windows.modules[failing] = {"failed": True, "msg": "no space"}

    result = run_action(ActionModule, {"bundle": bundle})

    assert "no space" in result["msg"]
    assert windows.arguments_of(FILE)[-1] == {"path": ROOT + "\\staging", "state": "absent"}


def test_only_administrators_write_below_a_root_outside_of_program_files_before_anything_is_there(
    windows, run_action, bundle
):
    root = "D:\\WireFleet"
    run_action(ActionModule, {"bundle": bundle, "root": root})

    assert windows.arguments_of("ansible.windows.win_owner") == [{"path": root, "user": "S-1-5-32-544"}]
    rules = windows.arguments_of("ansible.windows.win_acl")
    assert [(one["path"], one["user"]) for one in rules] == [(root, "S-1-5-32-544"), (root, "S-1-5-18")]
    assert windows.arguments_of("ansible.windows.win_acl_inheritance") == [{"path": root, "state": "absent"}]
    assert windows.modules_called()[:8] == [
        "win_file", "win_owner", "win_acl", "win_acl", "win_acl_inheritance", "win_file", "win_file", "win_copy",
    ]  # fmt: skip
    assert windows.arguments_of(FILE)[0] == {"path": root, "state": "directory"}


def test_converged_host_is_only_looked_at(windows, run_action, bundle):
    installed(windows, NEW)

    result = run_action(ActionModule, {"bundle": bundle})

    assert result["changed"] is False
    assert windows.verbs() == ["release list", "status", "secure"]
    assert windows.modules_called() == ["win_service"]


def test_drift_of_rights_is_repaired_and_named_in_the_diff(windows, run_action):
    installed(windows, NEW)
    windows.replies[("secure",)] = {"changed": True, "paths": [{"path": ROOT + "\\state", "changed": True}]}

    result = run_action(ActionModule, {}, diff=True)

    assert result["changed"] is True
    assert f"changed: rights of {ROOT}\\state" in result["diff"]["after"]


def test_upgrade_restarts_by_a_process_that_outlives_the_connection(windows, run_action, bundle):
    installed(windows, OLD, restarts=[BEFORE, restarted("running"), restarted("done")])

    result = run_action(ActionModule, {"bundle": bundle})

    assert (result["release"], result["previous_release"]) == ("0.2.0", "0.1.0")
    assert "daemon restart --detach" in windows.verbs()
    assert windows.slept == [2.0]


def test_firewall_rules_that_are_there_follow_the_program_before_the_restart(windows, run_action, bundle):
    installed(windows, OLD, restarts=[BEFORE, restarted("done")])
    windows.modules[RULE] = lambda arguments: {"changed": "tunnel" in arguments["name"]}

    run_action(ActionModule, {"bundle": bundle})

    rules = [
        (call.arguments["name"], call.arguments["state"], call.check_mode)
        for call in windows.calls
        if call.module == RULE
    ]
    assert rules == [
        ("WireFleet wf0: tunnel (UDP in)", "absent", True),
        ("WireFleet wf0: tunnel (UDP in)", "present", False),
        ("WireFleet wf0: heartbeat (UDP in)", "absent", True),
        ("WireFleet wf0: cluster (TCP in)", "absent", True),
    ]
    assert windows.arguments_of(RULE)[1]["program"] == ROOT + "\\releases\\0.2.0\\python.exe"


def test_connection_that_the_restart_cuts_is_made_again_and_nothing_is_ordered_twice(windows, run_action, bundle):
    installed(windows, OLD, restarts=[BEFORE, LOST, restarted("running"), LOST, LOST, restarted("done")])
    windows.replies[("daemon", "restart")] = [LOST]

    result = run_action(ActionModule, {"bundle": bundle})

    assert result["changed"] is True
    assert windows.verbs().count("daemon restart --detach") == 1
    assert windows.resets >= 3


def test_restart_that_never_arrived_is_ordered_again(windows, run_action, bundle):
    installed(windows, OLD, restarts=[BEFORE, LOST, BEFORE, restarted("done")])
    windows.replies[("daemon", "restart")] = [LOST, {"changed": True, "running": True, "restart_id": "r1"}]

    assert run_action(ActionModule, {"bundle": bundle})["release"] == "0.2.0"
    assert windows.verbs().count("daemon restart --detach") == 2


@pytest.mark.parametrize(
    "outcome",
    [
        restarted("failed", error={"code": "service", "message": "exit code 1066", "hint": "see the log"}),
        restarted("done", running=False),
        restarted("done", release="0.1.0"),
    ],
)
def test_release_that_does_not_answer_is_taken_back_with_its_command_line(windows, run_action, bundle, outcome):
    back = [{**outcome, "restart": None}, restarted("done", release="0.1.0")]
    installed(windows, OLD, restarts=[BEFORE, outcome, *back])

    result = run_action(ActionModule, {"bundle": bundle})

    assert result["error"]["code"] == "rolled_back"
    assert [one["path"].split("\\")[4] for one in windows.arguments_of(SERVICE)] == ["0.2.0", "0.1.0"]
    activations = [call.argv[0] for call in windows.calls if "activate" in call.argv]
    assert activations == [f"{ROOT}\\releases\\{release}\\python.exe" for release in ("0.2.0", "0.1.0")]


def test_release_whose_tunnel_never_comes_up_is_taken_back(windows, run_action, bundle):
    broken = without_tunnel()
    back = [broken, restarted("done", restart_id="r2", release="0.1.0")]
    installed(windows, OLD, restarts=[BEFORE, broken, *[broken] * TUNNEL_ATTEMPTS, *back])
    windows.replies[("daemon", "restart")] = [{"restart_id": "r1"}, {"restart_id": "r2"}]

    result = run_action(ActionModule, {"bundle": bundle})

    assert result["error"]["code"] == "rolled_back"
    assert "no adapter" in result["msg"]


def test_tunnel_that_needs_several_tries_is_waited_for(windows, run_action, bundle):
    trying = without_tunnel()
    coming = {**restarted("done"), "configured": True, "interface": None}
    installed(windows, OLD, restarts=[BEFORE, trying, trying, coming, restarted("done")])

    assert run_action(ActionModule, {"bundle": bundle})["release"] == "0.2.0"


def test_way_back_that_fails_too_is_told(windows, run_action, bundle):
    failed = restarted("failed", error={"code": "service", "message": "exit code 1066"})
    installed(windows, OLD, restarts=[BEFORE, failed, BEFORE, failed])

    assert run_action(ActionModule, {"bundle": bundle})["error"]["code"] == "rollback_failed"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Der angegebene Dienst wurde zum Löschen markiert (1072)", "marked_for_deletion"),
        ("The specified service has been marked for deletion", "marked_for_deletion"),
        ("Service 'WireFleet tunnel wf0' cannot be stopped due to the following error", "service_hangs"),
        ("The parameter is incorrect", "service"),
    ],
)
def test_known_troubles_of_services_have_names_and_hints(windows, run_action, bundle, message, code):
    windows.modules[SERVICE] = {"failed": True, "msg": message}

    error = run_action(ActionModule, {"bundle": bundle})["error"]

    assert (error["code"], error["path"]) == (code, "wirefleet-wf0")
    assert error["hint"]


def test_restart_that_never_ends_is_an_error_in_the_end(windows, run_action):
    installed(windows, NEW)
    windows.replies[("status",)] = {**BEFORE, "release": "0.2.0"}

    result = run_action(ActionModule, {"state": "restarted"})

    assert result["error"]["code"] == "service_hangs"
    assert sum(windows.slept) == 180.0


@pytest.mark.parametrize(("state", "verb"), [("stopped", "daemon stop"), ("restarted", "daemon restart --detach")])
def test_state_is_brought_about_by_the_agent(windows, run_action, state, verb):
    installed(windows, NEW, restarts=[{**BEFORE, "release": "0.2.0"}, restarted("done")])

    assert run_action(ActionModule, {"state": state})["changed"] is True
    assert verb in windows.verbs()


@pytest.mark.parametrize(("exists", "services"), [(True, 1), (False, 0)])
def test_present_brings_only_a_service_that_is_there_to_the_release(windows, run_action, bundle, exists, services):
    installed(windows, OLD, running=False)
    windows.modules[INFO] = (
        {**RUNNING, "services": [{"name": "wirefleet-wf0", "state": "stopped"}]} if exists else NO_SERVICE
    )

    run_action(ActionModule, {"bundle": bundle, "state": "present"})

    assert len(windows.arguments_of(SERVICE)) == services


@pytest.mark.parametrize("is_installed", [True, False])
def test_check_mode_changes_nothing(windows, run_action, bundle, is_installed):
    if is_installed:
        installed(windows, OLD)

    result = run_action(ActionModule, {"bundle": bundle}, check_mode=True)

    assert result["changed"] is True
    assert result["release"] == "0.2.0"
    assert all(call.check_mode for call in windows.calls if not call.module.endswith("command"))
    assert set(windows.verbs()) <= {"release list", "status", "--check secure"}


def test_pointer_without_a_release_is_no_installation_in_any_language(windows, run_action, bundle):
    said = {"rc": 3, "stdout": "", "stderr": "Das System kann den angegebenen Pfad nicht finden.", "msg": "non-zero"}
    windows.replies[("release", "list")] = {"raw": {**said, "failed": True}}
    checksum = windows.modules[STAT]["stat"]["checksum"]
    windows.modules[STAT] = [{"stat": {"exists": False}}, {"stat": {"exists": True, "checksum": checksum}}]

    assert run_action(ActionModule, {"bundle": bundle})["release"] == "0.2.0"


def test_release_without_its_program_is_no_installation_in_any_language(windows, run_action, bundle):
    said = {"rc": 3, "stdout": "", "stderr": "Das System kann den angegebenen Pfad nicht finden.", "msg": "non-zero"}
    windows.replies[("release", "list")] = {"raw": {**said, "failed": True}}
    windows.replies[("cmd.exe",)] = {"raw": {"rc": 0, "stdout": "0.1.0\r\n"}}
    checksum = windows.modules[STAT]["stat"]["checksum"]
    there = {"stat": {"exists": True, "checksum": checksum}}
    windows.modules[STAT] = [there, {"stat": {"exists": False}}, there]

    assert run_action(ActionModule, {"bundle": bundle})["release"] == "0.2.0"
    looked_at = [call.arguments["path"] for call in windows.calls if call.module == STAT]
    assert looked_at[:2] == [rf"{ROOT}\current", rf"{ROOT}\releases\0.1.0\python.exe"]


def test_damaged_agent_is_not_taken_for_none(windows, run_action, bundle):
    windows.replies[("release", "list")] = {"raw": {"rc": 1, "stdout": "", "stderr": "Traceback", "failed": True}}

    assert run_action(ActionModule, {"bundle": bundle})["error"]["code"] == "not_json"


@pytest.mark.parametrize("backend", ["systemd", "process"])
def test_backends_of_linux_are_refused(windows, run_action, backend):
    assert run_action(ActionModule, {"backend": backend})["error"]["code"] == "usage"


def test_services_of_windows_are_refused_on_linux(run_action):
    assert run_action(ActionModule, {"backend": "scm"})["error"]["code"] == "usage"


@pytest.mark.parametrize("options", [{"root": "C:\\50%\\x"}, {"tunnel": "a&b"}, {"tunnel": "CON"}, {"root": "C:\\"}])
def test_nothing_is_called_with_a_name_that_cmd_would_interpret(windows, run_action, options):
    assert run_action(ActionModule, options)["error"]["code"] == "usage"
    assert windows.calls == []
