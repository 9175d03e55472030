# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes in from the network, before anything runs: envelopes, encrypted bodies, command lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirefleet_wsman.commandline import escape_argument, join, split
from wirefleet_wsman.encryption import EncryptionError, decrypt, encrypt
from wirefleet_wsman.envelope import EnvelopeRefusedError, read_duration, read_request

ENVELOPE = (
    b'<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    b'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    b'xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header>'
    b"<a:Action>http://x/windows/shell/Receive</a:Action><a:MessageID>uuid:1</a:MessageID>"
    b'<w:SelectorSet><w:Selector Name="ShellId">ABC</w:Selector></w:SelectorSet>'
    b'<w:OptionSet><w:Option Name="WINRS_CONSOLEMODE_STDIN">TRUE</w:Option></w:OptionSet>'
    b"<w:OperationTimeout>PT2.5S</w:OperationTimeout><w:MaxEnvelopeSize>200000</w:MaxEnvelopeSize>"
    b"</s:Header><s:Body/></s:Envelope>"
)


def test_a_request_is_read_with_all_that_the_server_acts_on():
    request = read_request(ENVELOPE)

    assert (request.operation, request.message_id, request.shell_id) == ("Receive", "uuid:1", "ABC")
    assert request.options == {"WINRS_CONSOLEMODE_STDIN": "TRUE"}
    assert (request.operation_timeout_s, request.max_envelope_bytes) == (2.5, 200000)


@pytest.mark.parametrize("length", range(0, len(ENVELOPE) - 1, 7))
def test_a_truncated_envelope_is_refused(length):
    with pytest.raises(EnvelopeRefusedError):
        read_request(ENVELOPE[:length])


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "document type"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "document type"),
        (b"<x>" * 40 + b"</x>" * 40, "deeply"),
        (b"<x>" + b"<y/>" * 3000 + b"</x>", "too many"),
        (b"<x>&unknown;</x>", "well-formed"),
        (b"\x00\xff" * 10, "well-formed"),
        (b"<x/>", "no SOAP envelope"),
    ],
)
def test_hostile_documents_are_refused_with_a_reason(document, reason):
    with pytest.raises(EnvelopeRefusedError, match=reason):
        read_request(document)


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_a_request_or_refused(data):
    with pytest.raises(EnvelopeRefusedError):
        read_request(data)


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT20S", 20), ("P0DT2H0M1.5S", 7201.5), ("P1D", 86400), ("PT", 9), ("", 9), ("20", 9)]
)
def test_durations_are_read_and_everything_else_is_the_default(text, seconds):
    assert read_duration(text, default_s=9) == seconds


class Xor:
    """Sealing without cryptography."""

    def seal(self, message: bytes) -> tuple[bytes, bytes]:
        return b"SIGNATURE-16-BY.", bytes(byte ^ 0x55 for byte in message)

    def unseal(self, signature: bytes, sealed: bytes) -> bytes:
        if signature != b"SIGNATURE-16-BY.":
            raise EncryptionError("signature")
        return bytes(byte ^ 0x55 for byte in sealed)


def test_an_encrypted_body_is_read_back():
    assert decrypt(encrypt(b"<message/>", Xor()), Xor()) == b"<message/>"


def test_every_truncation_of_an_encrypted_body_is_refused():
    body = encrypt(b"<message/>", Xor())

    for length in range(len(body)):
        with pytest.raises(EncryptionError):
            decrypt(body[:length], Xor())


def test_a_body_that_says_another_length_is_refused():
    body = encrypt(b"<message/>", Xor()).replace(b"Length=10", b"Length=11")

    with pytest.raises(EncryptionError, match="announced"):
        decrypt(body, Xor())


@given(st.lists(st.text(alphabet=st.sampled_from('ab \\"\t上'), max_size=8), max_size=5))
def test_escaped_arguments_are_read_back_as_they_were(arguments):
    assert split(join(["C:\\program.exe", *arguments])) == ["C:\\program.exe", *arguments]


@pytest.mark.parametrize(
    ("argument", "escaped"),
    [("", '""'), ("plain", "plain"), ("a b", '"a b"'), ('a"b', '"a\\"b"'), ("a b\\", '"a b\\\\"'), ("C:\\x", "C:\\x")],
)
def test_arguments_are_escaped_as_the_real_module_does(argument, escaped):
    assert escape_argument(argument) == escaped


def test_the_program_of_a_command_line_keeps_its_backslashes():
    assert split('"C:\\Program Files\\a\\b.exe" "x\\" y" z') == ["C:\\Program Files\\a\\b.exe", 'x" y', "z"]
