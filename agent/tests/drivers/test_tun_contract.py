# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What every TUN driver must do. ``Host`` is the host's side of the interface."""

from __future__ import annotations

import select
from collections.abc import Iterator

import pytest
from support.tun_hosts import OURS, THEIRS, Host, made_host, udp_packet
from wirefleet_agent.drivers.interfaces import LinkEvent, TunDriver
from wirefleet_agent.errors import DriverError
from wirefleet_agent.wire.batch import Batch

KINDS = (
    "memory",
    "fake wintun",
    pytest.param("linux", marks=[pytest.mark.netns, pytest.mark.linux_only]),
    pytest.param("windows", marks=pytest.mark.windows_only),
)


@pytest.fixture(params=KINDS)
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    with made_host(request.param) as made:
        yield made


def is_readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 1)[0])


def read_udp_payloads(tun: TunDriver, batch: Batch | None = None) -> list[bytes]:
    """The host also sends packets of its own (IPv6 router solicitations), which are left out."""
    batch = batch or Batch(16, 2048, headroom=16)
    payloads = []
    while tun.read_batch(batch):
        packets = [bytes(batch.slot(i)) for i in range(batch.count)]
        payloads += [packet[28:] for packet in packets if packet[0] >> 4 == 4 and packet[9] == 17]
    return payloads


def events(tun: TunDriver) -> list[LinkEvent]:
    return tun.link_events() if is_readable(tun.events_fileno()) else []


def test_packets_of_the_host_arrive_in_order_behind_the_headroom(host: Host) -> None:
    host.set_up(True)

    for payload in (b"one", b"two", b"three"):
        host.send(payload)

    assert is_readable(host.tun.fileno())
    assert read_udp_payloads(host.tun) == [b"one", b"two", b"three"]


def test_an_empty_interface_reads_as_no_packets(host: Host) -> None:
    host.set_up(True)
    batch = Batch(4, 2048, headroom=16)
    while host.tun.read_batch(batch):
        pass

    assert host.tun.read_batch(batch) == 0
    assert batch.count == 0


def test_more_packets_than_the_batch_holds_wait_for_the_next_one(host: Host) -> None:
    host.set_up(True)
    for number in range(10):
        host.send(bytes([number]))

    payloads = read_udp_payloads(host.tun, Batch(4, 2048, headroom=16))

    assert payloads == [bytes([number]) for number in range(10)]


def test_written_packets_reach_the_host(host: Host) -> None:
    host.set_up(True)
    packet = udp_packet(THEIRS, OURS, b"from the tunnel")

    taken = host.tun.write_packets([packet, memoryview(bytearray(b"\0\0" + packet))[2:]])

    assert taken == 2
    assert [host.received(), host.received()] == [b"from the tunnel"] * 2


def test_what_is_no_ip_packet_is_not_taken_and_harms_nobody(host: Host) -> None:
    host.set_up(True)

    taken = host.tun.write_packets([b"\xff garbage", udp_packet(THEIRS, OURS, b"good")])

    assert taken == 1
    assert host.received() == b"good"


def test_packets_for_an_interface_that_is_down_are_not_taken(host: Host) -> None:
    host.set_up(True)
    host.set_up(False)

    assert host.tun.write_packets([udp_packet(THEIRS, OURS, b"late")]) == 0


def test_up_down_and_mtu_are_reported_once(host: Host) -> None:
    assert host.tun.mtu_bytes == 1420

    host.set_up(True)
    assert events(host.tun) == [LinkEvent.UP]
    host.set_mtu(1300)
    assert events(host.tun) == [LinkEvent.MTU_CHANGED]
    assert host.tun.mtu_bytes == 1300
    host.set_up(False)

    assert events(host.tun) == [LinkEvent.DOWN]
    assert host.tun.link_events() == []


def test_removal_is_reported_and_reading_fails(host: Host) -> None:
    host.remove()

    seen: list[LinkEvent] = []
    while LinkEvent.REMOVED not in seen and is_readable(host.tun.events_fileno()):
        seen += host.tun.link_events()
    assert LinkEvent.REMOVED in seen
    with pytest.raises(DriverError) as caught:
        host.tun.read_batch(Batch(1, 2048))
    assert caught.value.call == "read"


def test_closing_twice_is_harmless(host: Host) -> None:
    host.tun.close()
    host.tun.close()
