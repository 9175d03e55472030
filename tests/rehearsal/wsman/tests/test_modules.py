# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every stand-in: what it does, that it does it once, that check mode does nothing, and that it can be undone."""

from __future__ import annotations

import json
import zipfile

import pytest
from wirefleet_wsman.modules.powershell import ROLE, known_scripts

FIREWALL = "community.windows.win_firewall_rule"


def ok(result):
    assert not result.get("failed"), result["msg"]
    return result


def state_of(host, family):
    return host.state.read(family)


def test_ping_answers_and_crashes_when_asked_to(module):
    assert module("win_ping")["ping"] == "pong"
    assert module("win_ping", data="crash")["msg"] == "boom"


def test_stat_tells_files_directories_and_nothing_apart(module, drive):
    (drive / "ProgramData" / "A.txt").write_bytes(b"abc")

    file = ok(module("win_stat", path="c:/programdata/a.TXT", checksum_algorithm="sha256"))["stat"]
    directory = ok(module("win_stat", path="%ProgramData%"))["stat"]

    assert (file["isreg"], file["size"], file["extension"], file["filename"]) == (True, 3, ".TXT", "a.TXT")
    assert file["checksum"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (directory["isdir"], directory["size"], directory["attributes"]) == (True, 3, "Directory")
    assert module("win_stat", path="C:\\nothing")["stat"] == {"exists": False}


def test_a_directory_is_made_once_and_removed_with_all_in_it(module, drive):
    path, local = "C:\\a\\b\\上海", drive / "a" / "b" / "上海"

    assert module("win_file", path=path, state="directory", check=True)["changed"]
    assert not local.exists()
    assert module("win_file", path=path, state="directory")["changed"]
    assert not module("win_file", path=path.upper(), state="directory")["changed"]
    (local / "file").write_text("x")
    assert module("win_file", path="C:\\a", state="absent", check=True)["changed"]
    assert local.exists()
    assert module("win_file", path="C:\\a", state="absent")["changed"]
    assert not module("win_file", path="C:\\a", state="absent")["changed"]
    assert not (drive / "a").exists()


def test_files_that_stand_in_the_way_are_reported(module, drive):
    (drive / "file").write_text("x")

    assert "is not a directory" in module("win_file", path="C:\\file", state="directory")["msg"]
    assert "is not a directory" in module("win_file", path="C:\\file\\below", state="directory")["msg"]
    assert "will not be created" in module("win_file", path="C:\\none", state="file")["msg"]


def test_removing_a_link_leaves_what_it_points_to(module, drive, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (drive / "link").symlink_to(outside)

    assert module("win_file", path="C:\\link", state="absent")["changed"]
    assert outside.is_dir()
    assert not (drive / "link").is_symlink()


def test_a_zip_is_unpacked_and_removed_unless_it_was_before(module, drive, tmp_path):
    archive = drive / "ProgramData" / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("deep/上海.txt", "x")
        packed.mkdir("empty")
    arguments = {"src": "C:\\ProgramData\\a.zip", "dest": "C:\\out", "creates": "C:\\out\\deep", "delete_archive": True}

    assert ok(module("community.windows.win_unzip", **arguments, check=True))["changed"]
    assert not (drive / "out").exists()
    result = ok(module("community.windows.win_unzip", **arguments))
    assert (result["changed"], result["removed"]) == (True, True)
    assert (drive / "out" / "deep" / "上海.txt").read_text() == "x"
    assert (drive / "out" / "empty").is_dir()
    assert not archive.exists()
    assert module("community.windows.win_unzip", **arguments)["skipped"]


def test_a_zip_that_leaves_its_destination_is_refused(module, drive):
    with zipfile.ZipFile(drive / "bad.zip", "w") as packed:
        packed.writestr("../../windows/evil", "x")

    result = module("community.windows.win_unzip", src="C:\\bad.zip", dest="C:\\out")

    assert "outside the destination" in result["msg"]
    assert not (drive / "windows" / "evil").exists()


def test_a_remote_copy_happens_once_and_shows_its_difference(module, drive):
    (drive / "ProgramData" / "tree").mkdir()
    (drive / "ProgramData" / "tree" / "f").write_text("1")
    arguments = {"src": "C:\\ProgramData\\tree", "dest": "C:\\copy", "remote_src": True, "_copy_mode": "remote"}

    shown = ok(module("win_copy", **arguments, check=True, diff=True))
    assert shown["diff"]["prepared"] == "+C:\\copy\\tree\\\n+C:\\copy\\tree\\f\n"
    assert not (drive / "copy").exists()
    assert ok(module("win_copy", **arguments))["changed"]
    assert (drive / "copy" / "tree" / "f").read_text() == "1"
    assert not ok(module("win_copy", **arguments))["changed"]
    (drive / "copy" / "tree" / "f").write_text("drift")
    assert ok(module("win_copy", **arguments))["changed"]
    assert (drive / "copy" / "tree" / "f").read_text() == "1"


def test_commands_run_with_arguments_directory_and_input_as_given(module, drive):
    (drive / "ProgramData" / "wd").mkdir()

    result = ok(module("win_command", argv=["C:\\tools\\show.exe", "a b", 'c"d', "上海"], stdin="in"))
    where = ok(module("win_command", _raw_params="C:\\tools\\where.exe", chdir="C:\\ProgramData\\wd"))

    assert result["stdout"] == '<a b>\n<c"d>\n<上海>\nin'
    assert result["cmd"] == 'C:\\tools\\show.exe "a b" "c\\"d" 上海'
    assert (result["rc"], result["changed"]) == (0, True)
    assert where["stdout"].splitlines()[0] == str(drive / "ProgramData" / "wd")


def test_a_command_that_fails_keeps_its_output(module):
    result = module("win_command", _raw_params="C:\\tools\\fail.exe 5")

    assert (result["failed"], result["rc"]) == (True, 5)
    assert (result["stdout"], result["stderr"], result["msg"]) == ("out\n", "err\n", "non-zero return code")


@pytest.mark.parametrize(("misfires", "calls", "rc"), [(0, 1, 0), (1, 2, 0), (2, 2, 49)])
def test_a_batch_file_whose_program_wine_did_not_start_is_called_once_more(module, host, tmp_path, misfires, calls, rc):
    count = tmp_path / "count"

    result = module("win_command", argv=["C:\\tools\\misfire.cmd", str(misfires), str(count)], stdin="in")

    assert result["rc"] == rc
    assert result["stdout"] == ("" if rc else "in")
    assert len(count.read_text().splitlines()) == calls
    assert bool(host.state.read("not_shown").get("process start")) == (misfires > 0)


def test_input_that_nobody_reads_hangs_the_real_module_where_it_is_more_than_a_pipe_holds(module):
    # Process.cs keeps the reading end open itself while it writes, and looks at the output afterwards.
    program = "C:\\tools\\fail.exe"

    assert module("win_command", argv=[program], stdin="x" * 4096)["rc"] == 3
    assert "would wait for ever" in module("win_command", argv=[program], stdin="x" * 70_000)["msg"]
    assert ok(module("win_command", argv=["C:\\tools\\show.exe"], stdin="x" * 70_000))["stdout"].count("x") == 70_000


def test_a_missing_program_gives_the_real_modules_words(module):
    result = module("win_command", _raw_params="nosuch.exe x")

    assert result["rc"] == 2
    assert result["msg"] == (
        'Failed to run: \'nosuch.exe x\': Exception calling "CreateProcess" with "7" argument(s): '
        '"CreateProcessW() failed (The system cannot find the file specified, Win32ErrorCode 2 - 0x00000002)"'
    )


def test_commands_are_skipped_by_creates_removes_and_check_mode(module, drive):
    (drive / "there").write_text("")

    assert module("win_command", _raw_params="C:\\tools\\fail.exe", creates="C:\\there")["skipped"]
    assert module("win_command", _raw_params="C:\\tools\\fail.exe", removes="C:\\gone")["skipped"]
    assert "check mode" in module("win_command", _raw_params="C:\\tools\\fail.exe", check=True)["msg"]


def test_output_is_utf_8_unless_another_encoding_is_named(module):
    assert module("win_command", _raw_params="C:\\tools\\bytes.exe")["stdout"] == "h\ufffdllo"
    named = module("win_command", _raw_params="C:\\tools\\bytes.exe", output_encoding_override="cp437")
    assert named["stdout"] == "hällo"


def test_secrets_are_not_traced(module, host):
    module("win_command", _raw_params="C:\\tools\\show.exe", stdin="my-secret-input")
    module("win_command", _raw_params="C:\\tools\\show.exe other-secret", _ansible_no_log=True)

    text = (host.state.directory / "trace.jsonl").read_text()
    assert "secret" not in text
    assert json.loads(text.splitlines()[0])["module"] == "ansible.windows.win_command"


def test_registry_values_are_set_once_and_removed(module):
    path = "HKLM:\\Software\\WireFleet\\上海"
    value = {"path": path, "name": "n", "data": "0x80000000", "type": "dword"}

    assert ok(module("win_regedit", **value, check=True))["changed"]
    assert not module("win_reg_stat", path=path)["exists"]
    assert ok(module("win_regedit", **value))["changed"]
    assert not ok(module("win_regedit", **value))["changed"]
    assert module("win_reg_stat", path=path, name="N") | {"invocation": None} == {
        "changed": False, "exists": True, "type": "REG_DWORD", "value": 1 << 31, "raw_value": 1 << 31,
        "invocation": None,
    }  # fmt: skip
    changed = ok(module("win_regedit", **{**value, "data": "x", "type": "string"}))
    assert (changed["data_changed"], changed["data_type_changed"]) == (True, True)
    assert ok(module("win_regedit", path=path, name="n", state="absent"))["changed"]
    assert ok(module("win_regedit", path="HKLM:\\Software\\WireFleet", state="absent"))["changed"]
    assert not module("win_reg_stat", path=path)["exists"]
    assert "not a valid registry path" in module("win_reg_stat", path="HKXX:\\a")["msg"]


def test_access_rules_are_bound_to_the_file_that_has_them(module, host, drive):
    rule = {"path": "C:\\ProgramData\\d", "user": "SYSTEM", "rights": "FullControl", "type": "allow"}
    (drive / "ProgramData" / "d").mkdir()

    assert ok(module("win_acl", **rule))["changed"]
    assert not ok(module("win_acl", **rule))["changed"]
    assert module("win_acl", **rule, check=True)["skipped"]
    assert ok(module("win_owner", path=rule["path"], user="SYSTEM"))["changed"]
    assert not ok(module("win_owner", path=rule["path"], user="S-1-5-18"))["changed"]
    assert module("win_stat", path=rule["path"])["stat"]["owner"] == "NT AUTHORITY\\SYSTEM"
    module("win_file", path=rule["path"], state="absent")
    assert state_of(host, "acls") == {}
    (drive / "ProgramData" / "d").mkdir()
    assert ok(module("win_acl", **rule))["changed"]
    assert ok(module("win_acl", **rule, state="absent"))["changed"]


def test_inheritance_is_cut_once_and_restored(module, drive):
    arguments = {"path": "C:\\ProgramData", "reorganize": True}

    first = ok(module("win_acl_inheritance", **arguments, state="absent"))
    assert (first["changed"], first["diff"]["after"]) == (True, {"state": "absent"})
    assert not ok(module("win_acl_inheritance", **arguments, state="absent"))["changed"]
    assert ok(module("win_acl_inheritance", **arguments, state="present", check=True))["changed"]
    assert ok(module("win_acl_inheritance", **arguments, state="present"))["changed"]
    assert not ok(module("win_acl_inheritance", **arguments, state="present"))["changed"]


def test_a_virtual_account_exists_only_as_long_as_its_service(module, drive):
    rule = {"path": "C:\\ProgramData", "user": "NT SERVICE\\wirefleet-wf0", "rights": "Read", "type": "allow"}

    assert "not a valid user" in module("win_acl", **rule)["msg"]
    ok(module("win_service", name="wirefleet-wf0", path="C:\\a.exe"))
    assert ok(module("win_acl", **rule))["changed"]


def test_user_rights_are_given_once_and_taken_without_a_trace(module, host):
    right = {"name": "SeServiceLogonRight", "users": ["Administrator"]}

    assert ok(module("win_user_right", **right, action="add", check=True))["changed"]
    assert state_of(host, "user_rights") == {}
    assert ok(module("win_user_right", **right, action="add"))["added"] == ["HUB-1\\Administrator"]
    assert not ok(module("win_user_right", **right, action="add"))["changed"]
    assert ok(module("win_user_right", **right, action="remove"))["removed"] == ["HUB-1\\Administrator"]
    assert state_of(host, "user_rights") == {}
    assert "not a valid right" in module("win_user_right", name="SeNix", users=[], action="set")["msg"]


def test_event_sources_are_made_once_and_removed_without_a_trace(module, host):
    source = {"name": "Application", "sources": ["WireFleet"], "message_file": "C:\\m.dll"}

    assert ok(module("win_eventlog", **source, check=True))["sources"] == []
    assert ok(module("win_eventlog", **source))["sources_changed"] == ["WireFleet"]
    assert not ok(module("win_eventlog", **source))["changed"]
    assert "does not belong" in module("win_eventlog", name="System", sources=["WireFleet"])["msg"]
    entry = {"log": "Application", "source": "WireFleet", "event_id": 1, "message": "m"}
    assert ok(module("community.windows.win_eventlog_entry", **entry))["changed"]
    assert ok(module("win_eventlog", name="Application", state="clear"))["changed"]
    assert ok(module("win_eventlog", name="Application", sources=["WireFleet"], state="absent"))["changed"]
    assert state_of(host, "event_logs") == {}


RULE = {
    "name": "WireFleet wf0", "group": "WireFleet", "direction": "in", "action": "allow", "protocol": "udp",
    "localport": "51820", "remoteip": "10.0.0.0/8,fd00::/64", "program": "%ProgramFiles%\\a.exe",
    "service": "wirefleet-wf0", "profiles": ["domain", "private"],
}  # fmt: skip


def test_a_firewall_rule_is_made_once_changed_and_removed_by_its_group(module, host):
    made = ok(module(FIREWALL, **RULE, check=True, diff=True))
    assert "+ApplicationName='C:\\Program Files\\a.exe'" in made["diff"]["prepared"]
    assert state_of(host, "firewall") == {}
    assert ok(module(FIREWALL, **RULE))["changed"]
    assert not ok(module(FIREWALL, **RULE))["changed"]
    [rule] = state_of(host, "firewall").values()
    assert (rule["name"], rule["Profiles"], rule["Protocol"]) == ("WireFleet wf0", 3, 17)
    assert rule["RemoteAddresses"] == "10.0.0.0/255.0.0.0,fd00::/64"
    changed = ok(module(FIREWALL, **{**RULE, "localport": "51821"}, diff=True))
    assert "-LocalPorts='51820'\n+LocalPorts='51821'" in changed["diff"]["prepared"]
    assert ok(module(FIREWALL, group="WIREFLEET", state="absent", check=True))["changed"]  # PowerShell's -eq
    assert ok(module(FIREWALL, group="WireFleet", state="absent"))["changed"]
    assert not ok(module(FIREWALL, group="WireFleet", state="absent"))["changed"]
    assert state_of(host, "firewall") == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"protocol": "icmpv4"}, {"protocol": "carrier-pigeon"}, {"remoteip": "300.1.1.1"}, {"profiles": ["home"]},
        {"icmp_type_code": ["8:*"]},
    ],
)  # fmt: skip
def test_a_firewall_rule_that_windows_would_not_take_is_refused(module, wrong):
    assert module(FIREWALL, **{**RULE, **wrong})["failed"]


def defender_script(word):
    return next(text for text in known_scripts(ROLE) if text.startswith(f"# wirefleet av_exclusions: {word}\n"))


def test_only_the_scripts_of_the_defender_role_are_played(module):
    script = defender_script("set")
    exclusions = {"Processes": ["C:\\p.exe"], "Paths": ["C:\\logs"]}

    shown = ok(module("win_powershell", script=script, parameters=exclusions, check=True))
    assert shown["diff"] == {"before": "", "after": "C:\\p.exe\nC:\\logs"}
    assert ok(module("win_powershell", script=script, parameters=exclusions))["changed"]
    assert not ok(module("win_powershell", script=script, parameters=exclusions))["changed"]
    [status] = ok(module("win_powershell", script=defender_script("read")))["output"]
    assert (status["running"], status["processes"], status["paths"]) == (True, ["C:\\p.exe"], ["C:\\logs"])
    assert "no stand-in" in module("win_powershell", script=script + "\nRemove-Item C:\\")["msg"]


def test_exclusions_are_removed_without_a_trace(module, host):
    exclusions = {"Processes": ["C:\\p.exe"], "Paths": ["C:\\logs"]}
    module("win_powershell", script=defender_script("set"), parameters=exclusions)

    result = ok(module("win_powershell", script=defender_script("remove"), parameters=exclusions))

    assert result["changed"]
    assert state_of(host, "defender") == {}
    assert not ok(module("win_powershell", script=defender_script("remove"), parameters=exclusions))["changed"]


def test_tamper_protection_refuses_exclusions(module, host):
    with host.state.edit("defender") as state:
        state["tamper_protected"] = True

    result = module("win_powershell", script=defender_script("set"), parameters={"Paths": ["C:\\x"]})

    assert result["failed"]
    assert "msg" not in result  # the real module sets none
    assert "not accepted" in result["error"][0]["exception"]["message"]


def test_facts_are_those_of_a_windows_server_that_says_it_is_a_rehearsal(module):
    facts = ok(module("setup", gather_subset=["!all", "interfaces"]))["ansible_facts"]

    assert (facts["ansible_os_family"], facts["ansible_architecture"]) == ("Windows", "64-bit")
    assert "rehearsal" in facts["ansible_distribution"]
    assert isinstance(facts["ansible_interfaces"], list)
    assert "ansible_memtotal_mb" not in facts


def test_waiting_ends_when_the_file_is_there_or_time_is_up(module, drive):
    (drive / "there").write_text("ready now")

    assert ok(module("win_wait_for", path="C:\\there", regex="READY"))["wait_attempts"] == 1
    assert "timeout" in module("win_wait_for", path="C:\\there", state="absent", timeout=0)["msg"]
    assert "timeout" in module("win_wait_for", port=1, timeout=1, sleep=1, connect_timeout=1)["msg"]
