# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The sockets of heartbeats, on loopback and in memory: one contract."""

from __future__ import annotations

import errno
import select
import socket
import struct
import sys
from collections.abc import Iterator

import pytest
from support.memory_kernel import KernelTun, MemoryHeartbeats
from support.super_packets import internet_checksum
from wirefleet_agent.drivers.heartbeat_udp import UdpHeartbeats
from wirefleet_agent.drivers.interfaces import HeartbeatDriver
from wirefleet_agent.errors import DriverError
from wirefleet_agent.wire.udp import udp_packet

V4, V6 = socket.inet_pton(socket.AF_INET, "127.0.0.1"), socket.inet_pton(socket.AF_INET6, "::1")
_IS_LINUX = sys.platform == "linux"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def driver() -> Iterator[UdpHeartbeats]:
    made = UdpHeartbeats("lo")
    yield made
    made.close()


def wait(driver: HeartbeatDriver) -> int:
    ready, _, _ = select.select(driver.filenos(), [], [], 5)
    return int(ready[0])


@pytest.mark.parametrize("address", [V4, V6], ids=["v4", "v6"])
def test_a_heartbeat_tells_its_source_and_where_it_came_to(driver: UdpHeartbeats, address: bytes) -> None:
    port = free_port()
    driver.open(port, [V4, V6])

    assert driver.send(b"hello", address, port, address)
    (found,) = driver.receive(wait(driver))

    assert found == (b"hello", address, port, address)


def test_nothing_waits_at_first_and_after_closing_nothing_is_there(driver: UdpHeartbeats) -> None:
    driver.open(free_port(), [V4])
    (fileno,) = driver.filenos()
    assert driver.receive(fileno) == []

    driver.close()
    driver.close()

    assert driver.filenos() == ()
    assert driver.receive(fileno) == []
    assert not driver.send(b"x", V4, 1, V4)


def test_a_taken_port_is_told_and_nothing_stays_open(driver: UdpHeartbeats) -> None:
    port = free_port()
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        other.bind(("::1", port))
        with pytest.raises(DriverError) as caught:
            driver.open(port, [V4, V6])

    assert caught.value.os_code in (errno.EADDRINUSE, 10048)
    assert driver.filenos() == ()


def test_sending_across_families_or_from_a_foreign_address_fails(driver: UdpHeartbeats) -> None:
    port = free_port()
    driver.open(port, [V4])

    assert not driver.send(b"x", V6, port, V4)
    assert not driver.send(b"x", V6, port, V6)


def test_what_cannot_leave_is_no_error(driver: UdpHeartbeats) -> None:
    port = free_port()
    driver.open(port, [V4])

    assert not driver.send(bytes(70_000), V4, port, V4)


@pytest.mark.linux_only
def test_an_address_that_is_not_there_yet_can_be_bound(driver: UdpHeartbeats) -> None:
    driver.open(free_port(), [socket.inet_pton(socket.AF_INET, "10.99.98.97")])

    assert len(driver.filenos()) == 1


@pytest.mark.linux_only
def test_without_the_interface_nothing_is_open() -> None:
    driver = UdpHeartbeats("wf-absent")

    with pytest.raises(DriverError):
        driver.open(free_port(), [V4])

    assert driver.filenos() == ()


def test_a_burst_is_read_in_bounded_portions(driver: UdpHeartbeats) -> None:
    port = free_port()
    driver.open(port, [V4])
    for number in range(100):
        assert driver.send(bytes([number]), V4, port, V4)

    portions = [driver.receive(wait(driver)), driver.receive(wait(driver))]

    assert [len(portion) for portion in portions] == [64, 36]
    assert [each.payload[0] for portion in portions for each in portion] == list(range(100))


def test_the_one_in_memory_keeps_the_same_contract() -> None:
    clock = lambda: 0.0  # noqa: E731
    tun = KernelTun("mem", ["10.86.0.1"], clock)
    tun.set_link(is_up=True)
    address, other = socket.inet_aton("10.86.0.1"), socket.inet_aton("10.86.0.2")
    driver: HeartbeatDriver = MemoryHeartbeats(tun)
    driver.open(7, [address])

    assert driver.send(b"out", other, 7, address)
    assert not driver.send(b"out", other, 7, other)
    tun.write_packets([udp_packet(other, address, 7, b"in")])
    (fileno,) = driver.filenos()

    assert driver.receive(fileno) == [(b"in", other, 7, address)]
    assert driver.receive(fileno) == []
    driver.close()


@pytest.mark.parametrize("family", [4, 16])
@pytest.mark.parametrize("payload", [b"", b"x", b"even", bytes(1200)])
def test_a_crafted_packet_has_lengths_and_checksums_as_a_kernel_makes_them(family: int, payload: bytes) -> None:
    source, destination = bytes([10]) * family, bytes([11]) * family

    packet = udp_packet(source, destination, 51821, payload)

    head = 20 if family == 4 else 40
    datagram = packet[head:]
    assert struct.unpack("!HHH", datagram[:6]) == (51821, 51821, 8 + len(payload))
    assert datagram[8:] == payload
    pseudo = source + destination + struct.pack("!II", len(datagram), 17)
    assert internet_checksum(pseudo + datagram) in (0, 0xFFFF)
    if family == 4:
        assert internet_checksum(packet[:20]) in (0, 0xFFFF)
        assert struct.unpack("!H", packet[2:4])[0] == len(packet)
    else:
        assert struct.unpack("!H", packet[4:6])[0] == len(datagram)


def test_a_checksum_of_zero_is_written_as_ones() -> None:
    """0 would mean: none (RFC 768), which IPv6 forbids."""
    for number in range(65536):
        packet = udp_packet(bytes(4), bytes(4), 1, number.to_bytes(2, "big"))
        assert packet[26:28] != b"\0\0"


@pytest.mark.parametrize(
    ("source", "destination", "size"), [(bytes(4), bytes(16), 1), (bytes(5), bytes(5), 1), (bytes(4), bytes(4), 1201)]
)
def test_impossible_packets_are_refused(source: bytes, destination: bytes, size: int) -> None:
    with pytest.raises(ValueError, match=r"family|MTU"):
        udp_packet(source, destination, 1, bytes(size))
