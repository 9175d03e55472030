# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real ansible-playbook with its real winrm connection against a host without Wine."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from winrm.protocol import Protocol
from wsman_controller import PASSWORD

PACKAGE = Path(__file__).resolve().parents[1]


@pytest.fixture
def windows(serve, controller):
    running = serve(allow_unencrypted=True)
    return running, controller(running)


def task(name, module, arguments=None, **keywords):
    return {"name": name, module: arguments or {}, **keywords}


@pytest.mark.parametrize("way", ["basic", "https", "ntlm", "ntlm_https"])
def test_files_and_commands_work_over_every_way_in(windows, way, tmp_path):
    running, controller = windows
    (tmp_path / "big.bin").write_bytes(os.urandom(700_000))
    (tmp_path / "empty").write_bytes(b"")
    tasks = [
        task("ping", "ansible.windows.win_ping"),
        task("big", "ansible.windows.win_copy", {"src": str(tmp_path / "big.bin"), "dest": "C:\\ProgramData\\b.bin"}),
        task("empty", "ansible.windows.win_copy", {"src": str(tmp_path / "empty"), "dest": "C:\\ProgramData\\"}),
        task("stat", "ansible.windows.win_stat", {"path": "C:\\ProgramData\\b.bin", "checksum_algorithm": "sha256"}),
        task("fetch", "ansible.builtin.fetch", {"src": "C:\\ProgramData\\b.bin", "dest": "back", "flat": True}),
        task("run", "ansible.windows.win_command", {"argv": ["C:\\tools\\show.exe", "上海 01"], "stdin": "ä"}),
    ]

    outcome = controller.play(way, tasks, facts=True)

    assert outcome.code == 0, outcome.text
    assert outcome.results["Gathering Facts"]["ansible_facts"]["ansible_os_family"] == "Windows"
    expected = hashlib.sha256((tmp_path / "big.bin").read_bytes()).hexdigest()
    assert outcome.results["stat"]["stat"]["checksum"] == expected
    assert hashlib.sha256((tmp_path / "back").read_bytes()).hexdigest() == expected
    assert (running.prefix / "drive_c/ProgramData/empty").read_bytes() == b""
    assert outcome.results["run"]["stdout"] == "<上海 01>\nä"
    assert list((running.prefix / "drive_c/users/tester/Temp").iterdir()) == []


def test_a_wrong_password_is_unreachable(windows):
    _, controller = windows

    outcome = controller.play("ntlm", [task("it", "ansible.windows.win_ping")], "-e", "ansible_password=wrong")

    assert outcome.unreachable == 1
    assert "credentials were rejected" in outcome.text


def test_directories_are_copied_once_and_drift_is_repaired(windows, tmp_path):
    running, controller = windows
    (tmp_path / "tree" / "上海").mkdir(parents=True)
    (tmp_path / "tree" / "上海" / "a.txt").write_text("1")
    (tmp_path / "tree" / "b.txt").write_text("2")
    copy = task("copy", "ansible.windows.win_copy", {"src": f"{tmp_path}/tree/", "dest": "C:\\ProgramData\\tree\\"})
    copied = running.prefix / "drive_c/ProgramData/tree"

    assert controller.play("ntlm", [copy], "--check").results["copy"]["changed"]
    assert not copied.exists()
    assert controller.play("ntlm", [copy]).results["copy"]["changed"]
    assert (copied / "上海" / "a.txt").read_text() == "1"
    assert not controller.play("ntlm", [copy]).results["copy"]["changed"]
    (copied / "b.txt").write_text("drift")
    assert controller.play("ntlm", [copy]).results["copy"]["changed"]
    assert (copied / "b.txt").read_text() == "2"


def test_content_is_copied_once_and_shown_in_check_mode(windows):
    running, controller = windows
    copy = task("copy", "ansible.windows.win_copy", {"content": "hällo", "dest": "%ProgramData%\\c.txt"})

    assert controller.play("https", [copy], "--check", "--diff").results["copy"]["changed"]
    assert not (running.prefix / "drive_c/ProgramData/c.txt").exists()
    assert controller.play("https", [copy]).results["copy"]["changed"]
    assert (running.prefix / "drive_c/ProgramData/c.txt").read_text() == "hällo"
    assert not controller.play("https", [copy]).results["copy"]["changed"]


def test_a_background_job_goes_on_and_its_result_is_fetched(windows):
    running, controller = windows
    proof = "C:\\ProgramData\\proof"
    local = running.prefix / "drive_c/ProgramData/proof"
    run = {"argv": ["C:\\tools\\wait.exe", "1.5", str(local)]}
    tasks = [
        task("start", "ansible.windows.win_command", run, **{"async": 30, "poll": 0, "register": "job"}),
        task("not yet", "ansible.windows.win_stat", {"path": proof}),
        task(
            "end",
            "ansible.builtin.async_status",
            {"jid": "{{ job.ansible_job_id }}"},
            register="state",
            until="state is finished",
            retries=20,
            delay=1,
        ),
        task("now", "ansible.windows.win_stat", {"path": proof}),
    ]

    outcome = controller.play("ntlm", tasks)

    assert outcome.code == 0, outcome.text
    assert not outcome.results["not yet"]["stat"]["exists"]
    assert outcome.results["now"]["stat"]["exists"]
    assert (outcome.results["end"]["rc"], outcome.results["end"]["changed"]) == (0, True)


def test_a_background_job_that_takes_too_long_is_ended(windows):
    running, controller = windows
    local = running.prefix / "drive_c/ProgramData/proof"
    run = {"argv": ["C:\\tools\\wait.exe", "30", str(local)]}

    outcome = controller.play("ntlm", [task("it", "ansible.windows.win_command", run, **{"async": 1, "poll": 1})])

    assert outcome.code != 0
    assert not local.exists()


def test_a_service_lives_through_playbooks(windows):
    _, controller = windows
    service = {"name": "wirefleet-wf0", "path": "C:\\a.exe", "start_mode": "delayed", "state": "started"}
    tasks = [
        task("make", "ansible.windows.win_service", service),
        task("again", "ansible.windows.win_service", service),
        task("info", "ansible.windows.win_service_info", {"name": "wirefleet-wf0"}),
    ]

    results = controller.play("ntlm", tasks).results

    assert (results["make"]["changed"], results["again"]["changed"]) == (True, False)
    assert results["info"]["services"][0]["state"] == "started"
    gone = controller.adhoc("ntlm", "ansible.windows.win_service", name="wirefleet-wf0", state="absent")
    assert gone["changed"]


@pytest.mark.parametrize(
    ("module", "arguments", "words"),
    [
        ("ansible.windows.win_hostname", {"name": "x"}, "no stand-in"),
        ("ansible.windows.win_shell", {"_raw_params": "echo"}, "no stand-in"),
        ("ansible.windows.win_powershell", {"script": "Get-Date"}, "no stand-in"),
        ("ansible.windows.win_file", {"path": "C:\\x", "bogus": 1}, "bogus"),
        ("ansible.windows.win_file", {"path": "D:\\x", "state": "directory"}, "drive"),
    ],
)
def test_what_is_not_played_fails_loudly(windows, module, arguments, words):
    _, controller = windows

    result = controller.adhoc("basic", module, **arguments)

    assert result["failed"]
    assert words in result["msg"]


def test_become_fails_with_a_clear_error(windows):
    _, controller = windows
    ping = task("it", "ansible.windows.win_ping", become=True, become_method="runas", become_user="SYSTEM")

    outcome = controller.play("ntlm", [ping])

    assert outcome.code != 0
    assert "become is not supported" in outcome.text


def test_the_program_says_when_it_is_ready_and_ends_cleanly(prefix, tmp_path):
    (tmp_path / "users").write_text(f"Administrator:{PASSWORD}\n")
    process = subprocess.Popen(
        [
            sys.executable, "-m", "wirefleet_wsman", "--state", tmp_path / "state", "--wine", prefix, "--http", "0",
            "--listen", "::1", "--users", tmp_path / "users",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
    )  # fmt: skip
    assert process.stdout
    assert '"ready": true' in process.stdout.readline()

    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=20) == 0
    assert process.communicate()[1] == ""


def test_the_report_lists_what_was_called_and_what_cannot_be_shown(module, host, tmp_path):
    module("ansible.windows.win_user_right", name="SeServiceLogonRight", users=["Administrator"], action="add")

    done = subprocess.run(
        [sys.executable, "-m", "wirefleet_wsman", "report", "--state", host.state.directory],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
    )

    assert done.stdout.startswith("This is a rehearsal, not Windows.")
    assert "1  ansible.windows.win_user_right" in done.stdout
    assert "SeServiceLogonRight: recorded, not given by Wine" in done.stdout


def test_an_idle_shell_ends_while_the_server_runs(serve):
    running = serve(allow_unencrypted=True)
    client = Protocol(running.endpoint(), username="Administrator", password=PASSWORD, ca_trust_path=None)
    shell = client.open_shell(idle_timeout="PT1S")
    client.run_command(shell, "sleep", ["30"])

    deadline = time.monotonic() + 10
    trace = running.state / "trace.jsonl"  # there from the first line on
    while not trace.exists() or "idle time-out" not in trace.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_exclusions_that_defender_does_not_keep_fail_the_host_with_a_reason(windows):
    running, controller = windows
    (running.state / "defender.json").write_text('{"drops": true}')
    role = task("role", "ansible.builtin.include_role", {"name": "wirefleet.wireguard.av_exclusions"})

    outcome = controller.play("ntlm", [role])

    [told] = [result["msg"] for result in outcome.results.values() if "Microsoft Defender:" in str(result.get("msg"))]
    assert outcome.code != 0
    assert "not accepted" in told
    assert "DisableLocalAdminMerge" in told


def test_firewall_rules_are_made_once_and_one_that_nobody_wants_goes(windows):
    running, controller = windows
    variables = {"wirefleet_overlay_prefixes": ["10.86.0.0/24", "fd57:6c61:86::/64"]}
    role = task("role", "ansible.builtin.include_role", {"name": "wirefleet.wireguard.firewall"}, vars=variables)
    made = controller.play("ntlm", [role])
    again = controller.play("ntlm", [role])
    without = controller.play("ntlm", [role], "-e", "firewall_heartbeat_port=0")

    assert (made.code, again.code, without.code) == (0, 0, 0), made.text + without.text
    changed = [
        outcome.results["wirefleet.wireguard.firewall : Windows lets the tunnel through"]["changed"]
        for outcome in (made, again, without)
    ]
    assert changed == [True, False, True]
    names = [rule["name"] for rule in json.loads((running.state / "firewall.json").read_text()).values()]
    assert sorted(names) == [
        "WireFleet wf0: ping (ICMPv4 in)",
        "WireFleet wf0: ping (ICMPv6 in)",
        "WireFleet wf0: tunnel (UDP in)",
    ]
