# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pywinrm and raw HTTP against the server: authentication, encryption, limits, long and lost commands."""

from __future__ import annotations

import base64
import http.client
import re
import socket
import time

import pytest
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError, WSManFaultError
from winrm.protocol import Protocol
from wsman_controller import PASSWORD

WAYS = {
    "basic": ("http", "plaintext", {}),
    "https": ("https", "ssl", {}),
    "ntlm": ("http", "ntlm", {"message_encryption": "always"}),
    "ntlm_https": ("https", "ntlm", {}),
}


def client(running, way="basic", password=PASSWORD, **settings):
    scheme, transport, more = WAYS[way]
    return Protocol(
        running.endpoint(scheme),
        transport=transport,
        username="Administrator",
        password=password,
        ca_trust_path=str(running.certificate),
        **{"read_timeout_sec": 20, "operation_timeout_sec": 10, **more, **settings},
    )


def run(protocol, line, arguments=()):
    shell = protocol.open_shell()
    command = protocol.run_command(shell, line, arguments)
    output = protocol.get_command_output(shell, command)
    protocol.cleanup_command(shell, command)
    protocol.close_shell(shell)
    return output


@pytest.mark.parametrize("way", WAYS)
def test_a_command_runs_over_every_way_in(serve, way):
    running = serve(allow_unencrypted=True)

    assert run(client(running, way), "/bin/echo", ["hello"]) == (b"hello\n", b"", 0)


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_password_is_refused_and_nothing_else_happens(serve, way, capfd):
    running = serve(allow_unencrypted=True)

    with pytest.raises(InvalidCredentialsError):
        client(running, way, password="wrong").open_shell()
    assert "Traceback" not in capfd.readouterr().err


def test_plain_messages_over_http_are_refused_unless_allowed(serve):
    running = serve()

    with pytest.raises(WinRMTransportError, match="500"):
        client(running, "basic").open_shell()
    assert run(client(running, "ntlm"), "/bin/true")[2] == 0


def test_basic_can_be_switched_off(serve):
    running = serve(allow_basic=False)

    with pytest.raises(InvalidCredentialsError):
        client(running, "https").open_shell()
    assert run(client(running, "ntlm_https"), "/bin/true")[2] == 0


def test_a_command_longer_than_the_operation_timeout_is_waited_for(serve):
    running = serve(allow_unencrypted=True)
    impatient = client(running, read_timeout_sec=3, operation_timeout_sec=1)

    assert run(impatient, "sleep", ["2.5"]) == (b"", b"", 0)


def test_output_streams_while_the_command_runs(serve):
    running = serve(allow_unencrypted=True)
    protocol = client(running)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, str(running.prefix / "drive_c" / "tools" / "ticks.exe"))

    first = protocol.get_command_output_raw(shell, command)

    assert (first[0], first[3]) == (b"tick 1\n", False)
    assert protocol.get_command_output(shell, command)[0] == b"tick 2\ntick 3\n"


def test_input_arrives_in_chunks(serve):
    running = serve(allow_unencrypted=True)
    protocol = client(running)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat", console_mode_stdin=False)

    protocol.send_command_input(shell, command, b"one ")
    protocol.send_command_input(shell, command, b"two", end=True)

    assert protocol.get_command_output(shell, command) == (b"one two", b"", 0)


def test_output_larger_than_the_envelope_arrives_whole(serve):
    running = serve(allow_unencrypted=True)

    stdout, _, _ = run(client(running, "ntlm"), "head", ["-c", "1000000", "/dev/zero"])

    assert stdout == bytes(1000000)


def test_terminate_kills_the_whole_process_group(serve, tmp_path):
    running = serve(allow_unencrypted=True)
    protocol, proof = client(running), tmp_path / "proof"
    shell = protocol.open_shell()
    command = protocol.run_command(shell, str(running.prefix / "drive_c/tools/wait.exe"), ["0.5", str(proof)])

    protocol.cleanup_command(shell, command)

    time.sleep(1.0)
    assert not proof.exists()


def test_work_survives_the_loss_of_the_connection(serve, tmp_path):
    running = serve(allow_unencrypted=True)
    protocol, proof = client(running), tmp_path / "proof"
    shell = protocol.open_shell()
    protocol.run_command(shell, str(running.prefix / "drive_c/tools/wait.exe"), ["0.3", str(proof)])

    protocol.transport.close_session()

    deadline = time.monotonic() + 10
    while not proof.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_shell_that_was_used_up_says_so_in_the_way_clients_know(serve):
    running = serve(allow_unencrypted=True, max_commands=1)
    protocol = client(running)
    shell = protocol.open_shell()
    protocol.run_command(shell, "true")

    with pytest.raises(WSManFaultError) as fault:
        protocol.run_command(shell, "true")
    assert fault.value.wmierror_code == 0x803381A6


def test_a_shell_that_is_not_there_is_an_invalid_selector(serve):
    running = serve(allow_unencrypted=True)

    with pytest.raises(WSManFaultError) as fault:
        client(running).run_command("00000000-0000-0000-0000-000000000000", "true")
    assert fault.value.wsman_fault_code == 2150858843


def request(running, body=b"", headers=(), path="/wsman"):
    connection = http.client.HTTPConnection("127.0.0.1", running.server.ports["http"], timeout=10)
    token = base64.b64encode(f"Administrator:{PASSWORD}".encode()).decode()
    connection.request("POST", path, body, {"Authorization": f"Basic {token}", **dict(headers)})
    response = connection.getresponse()
    return response.status, response.read().decode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Length": "999999999"}, 413),
        ({"Content-Length": "-1"}, 411),
        ({"Transfer-Encoding": "chunked"}, 411),
        ({"Authorization": "Basic !!!"}, 401),
        ({"Authorization": "Negotiate AAAA"}, 401),
        ({"Authorization": "Negotiate " + base64.b64encode(b"NTLMSSP\0" + b"\xff" * 40).decode()}, 401),
        ({"Authorization": "Negotiate " + base64.b64encode(b"NTLMSSP\0\x03\0\0\0").decode()}, 401),
        ({"Content-Type": "multipart/encrypted"}, 400),
    ],
)
def test_hostile_requests_get_a_status_and_no_traceback(serve, headers, status, capfd):
    running = serve(allow_unencrypted=True)

    assert request(running, b"x", headers)[0] == status
    assert "Traceback" not in capfd.readouterr().err


def test_a_document_type_and_an_unknown_action_are_faults(serve):
    running = serve(allow_unencrypted=True)
    envelope = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
        'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"><s:Header><a:Action>x/Explode</a:Action>'
        "<a:MessageID>uuid:1</a:MessageID></s:Header><s:Body/></s:Envelope>"
    )

    status, text = request(running, b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")
    assert (status, re.findall(r"document type", text)) == (500, ["document type"])
    status, text = request(running, envelope.encode())
    assert (status, re.findall(r"ActionNotSupported", text)) == (500, ["ActionNotSupported"])
    assert request(running, envelope.encode(), path="/other")[0] == 404


def test_a_client_that_says_nothing_blocks_nobody(serve):
    running = serve(allow_unencrypted=True)
    with socket.create_connection(("127.0.0.1", running.server.ports["https"])):
        assert run(client(running, "https"), "/bin/true")[2] == 0


def test_an_encrypted_message_that_was_altered_is_a_bad_request(serve):
    running = serve()
    protocol = client(running, "ntlm")
    shell = protocol.open_shell()
    transport = protocol.transport
    prepared = transport.encryption.prepare_encrypted_request(transport.session, transport.endpoint, b"<a/>")
    prepared.body = prepared.body[:-40] + bytes([prepared.body[-40] ^ 1]) + prepared.body[-39:]

    assert shell
    assert transport.session.send(prepared, timeout=10).status_code == 400
