# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.private_copies import redact
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError, parse_reply

COMMAND = "/opt/wirefleet/current/bin/wirefleet-agent"


def error_of(raw):
    with pytest.raises(AgentError) as caught:
        parse_reply(raw, COMMAND)
    return caught.value


def test_document_of_a_success_is_the_reply():
    assert parse_reply({"rc": 0, "stdout": '{"changed": false}'}, COMMAND) == {"changed": False}


@pytest.mark.parametrize("text", ["", "[]", "null", '"text"', "{", '{"changed": false} trailing', "12"])
def test_anything_but_one_object_is_no_document(text):
    assert error_of({"rc": 0, "stdout": text}).code == "not_json"


def test_every_truncation_of_a_reply_is_no_document():
    whole = json.dumps({"changed": True, "public_key": "x"})
    for length in range(len(whole)):
        assert error_of({"rc": 0, "stdout": whole[:length]}).code == "not_json"


@pytest.mark.parametrize(
    "raw",
    [
        {"rc": 2, "stdout": "", "msg": "[Errno 2] No such file or directory: b'/opt/x'"},
        {"rc": 2, "stdout": "", "msg": "Error executing command."},
        {"rc": 2, "stdout": "", "msg": "The system cannot find the file specified"},
    ],
)
def test_missing_program_is_a_missing_agent(raw):
    assert error_of(raw).code == "not_installed"


def failed_to_run(reason):
    """As ansible.windows.win_command says it; exit code 2 stands for every failure without a code of its own."""
    return {
        "rc": 2,
        "msg": f'Failed to run: \'wirefleet-agent.cmd\': Ausnahme beim Aufrufen von "CreateProcess": "{reason}"',
    }


@pytest.mark.parametrize("number", [2, 3])
def test_missing_program_on_windows_is_known_by_its_number_in_every_language(number):
    raw = failed_to_run(f"CreateProcessW() failed (nicht gefunden, Win32ErrorCode {number} - 0x{number:08X})")

    assert error_of({**raw, "rc": number}).code == "not_installed"


@pytest.mark.parametrize(
    "reason", ["Die Pipe wurde beendet.", "CreateProcessW() failed (x, Win32ErrorCode 225 - 0x000000E1)"]
)
def test_program_that_windows_could_not_run_for_another_reason_is_not_a_missing_one(reason):
    error = error_of(failed_to_run(reason))

    assert error.code == "not_json"
    assert reason in str(error)


def test_request_that_the_raw_result_repeats_is_not_part_of_the_error():
    raw = {"rc": 1, "stdout": "PSK-IN-STDOUT", "stderr": "", "invocation": {"module_args": {"stdin": "PSK-IN-REQUEST"}}}

    assert "PSK" not in json.dumps(error_of(raw).as_result())


def test_long_error_output_is_cut():
    raw = {"rc": 1, "stdout": "", "stderr": "\n".join(f"line {i}" for i in range(500))}

    assert "line 499" in str(error_of(raw))
    assert "line 400" not in str(error_of(raw))


def test_exit_code_without_an_error_object_is_still_a_failure():
    assert error_of({"rc": 1, "stdout": "{}"}).code == "unknown"


def test_null_path_and_hint_leave_the_message_alone():
    error = error_of({"rc": 5, "stdout": '{"error": {"code": "refused", "message": "no", "path": null, "hint": null}}'})

    assert error.as_result()["msg"] == "no"


@pytest.mark.parametrize("line", ["PrivateKey = abc=", "  presharedkey=abc=", "PRIVATEKEY =   abc="])
def test_values_of_keys_are_redacted_however_they_are_written(line):
    assert "abc" not in redact(f"[Interface]\n{line}\nMTU = 1420\n")
    assert "MTU = 1420" in redact(f"{line}\nMTU = 1420\n")


def test_error_in_a_successful_answer_is_part_of_the_answer():
    status = {"running": True, "error": {"code": "driver", "message": "no adapter", "path": None, "hint": None}}

    assert parse_reply({"rc": 0, "stdout": json.dumps(status)}, COMMAND) == status
