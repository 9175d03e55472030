# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""IP headers: what is read of them and what is refused."""

from __future__ import annotations

import ipaddress

import pytest
from support.packets import ip_packet
from wirefleet_agent.drops import DropReason
from wirefleet_agent.errors import PacketDropped
from wirefleet_agent.wire import ip

V4 = ip_packet("10.0.0.1", "10.0.0.2", b"payload")
V6 = ip_packet("fd00::1", "fd00::2", b"payload")


def reason_of(packet: bytes) -> DropReason:
    with pytest.raises(PacketDropped) as dropped:
        ip.inspect(packet)
    return dropped.value.reason


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_addresses_and_length_are_read(wrap: type[bytes]) -> None:
    v4 = ipaddress.ip_address("10.0.0.1").packed, ipaddress.ip_address("10.0.0.2").packed
    v6 = ipaddress.ip_address("fd00::1").packed, ipaddress.ip_address("fd00::2").packed

    assert ip.inspect(wrap(V4)) == (4, *v4, 27)
    assert ip.inspect(wrap(V6)) == (6, *v6, 47)


# checklist 29
def test_bytes_after_the_packet_are_padding() -> None:
    assert ip.inspect(V4 + bytes(5))[3] == len(V4)
    assert ip.inspect(V6 + bytes(9))[3] == len(V6)


# checklist 29
@pytest.mark.parametrize("packet", [V4, V6])
def test_every_truncation_has_a_bad_length(packet: bytes) -> None:
    for size in range(len(packet)):
        assert reason_of(packet[:size]) is DropReason.BAD_PACKET_LENGTH


# checklist 29
@pytest.mark.parametrize("version", sorted(set(range(16)) - {4, 6}))
def test_other_versions_are_refused(version: int) -> None:
    assert reason_of(bytes([version << 4 | 5]) + V4[1:]) is DropReason.BAD_PACKET_VERSION


# checklist 29
def test_an_ipv4_length_below_its_header_is_refused() -> None:
    assert reason_of(V4[:2] + b"\0\x13" + V4[4:]) is DropReason.BAD_PACKET_LENGTH


# checklist 29
def test_an_ipv6_length_needs_more_than_sixteen_bits() -> None:
    packet = ip_packet("fd00::1", "fd00::2", bytes(65535))

    assert ip.inspect(packet)[3] == 65575
    assert reason_of(packet[:-1]) is DropReason.BAD_PACKET_LENGTH
