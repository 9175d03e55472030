# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What every UDP driver must do. Two sockets ``left`` and ``right`` share an underlay."""

from __future__ import annotations

import errno
import select
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from support.fake_winsock import FakeWinsock
from support.netns import can_make_namespaces, single_namespace
from wirefleet_agent.drivers.interfaces import UdpDriver
from wirefleet_agent.drivers.memory import MemoryUdp, MemoryUnderlay
from wirefleet_agent.drivers.udp_windows import WindowsUdp
from wirefleet_agent.drivers.win32_errors import WSAEADDRINUSE
from wirefleet_agent.errors import DriverError
from wirefleet_agent.wire.batch import Batch
from wirefleet_agent.wire.endpoint import Endpoint, LocalAddress

if sys.platform != "win32":
    from wirefleet_agent.drivers.udp_linux import LinuxUdp

V4 = "127.0.0.1"
V6 = "::1"
ROOM_BYTES = 65536  # what a driver may join


@dataclass
class Pair:
    left: UdpDriver
    right: UdpDriver
    left_hosts: tuple[str, str]
    right_hosts: tuple[str, str]
    call: Callable[[Callable[[], object]], object]
    """Runs something where the sockets are to be opened."""
    address_in_use: int = errno.EADDRINUSE

    def open(self, udp: UdpDriver, port: int) -> None:
        self.call(lambda: udp.open(port))


KINDS = (
    "memory",
    "fake winsock",
    pytest.param("linux", marks=[pytest.mark.netns, pytest.mark.linux_only]),
    pytest.param("windows", marks=pytest.mark.windows_only),
)


@pytest.fixture(params=KINDS)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    if request.param == "memory":
        underlay = MemoryUnderlay()
        left, right = ("192.0.2.1", "2001:db8::1"), ("192.0.2.2", "2001:db8::2")
        yield Pair(MemoryUdp(underlay, *left), MemoryUdp(underlay, *right), left, right, lambda action: action())
        return
    if request.param in ("fake winsock", "windows"):
        winsock = FakeWinsock() if request.param == "fake winsock" else None
        pair = Pair(
            WindowsUdp(winsock), WindowsUdp(winsock), (V4, V6), (V4, V6), lambda action: action(), WSAEADDRINUSE
        )
        yield pair
        pair.left.close()
        pair.right.close()
        return
    if sys.platform == "win32" or not can_make_namespaces():
        pytest.skip("needs root")
    with single_namespace("udp") as namespace:
        made = Pair(LinuxUdp(), LinuxUdp(), (V4, V6), (V4, V6), namespace.call)
        yield made
        made.left.close()
        made.right.close()


def receive(udp: UdpDriver, batch: Batch | None = None) -> list[tuple[bytes, Endpoint | None, LocalAddress | None]]:
    """Everything that arrives within a second, from all descriptors; stops at the first silence after something."""
    batch = batch or Batch(8, ROOM_BYTES)
    received = []
    while ready := select.select(udp.filenos(), (), (), 0 if received else 1)[0]:
        for fd in ready:
            for i in range(udp.receive_batch(fd, batch)):
                for datagram in batch.datagrams(i):
                    received.append((bytes(datagram), batch.endpoints[i], batch.locals[i]))
    return received


def datagrams(*entries: tuple[bytes, Endpoint | None, LocalAddress | None]) -> Batch:
    batch = Batch(max(8, len(entries)), 2048)
    for payload, endpoint, local in entries:
        batch.append(payload, endpoint, local)
    return batch


@pytest.mark.parametrize("family", [0, 1], ids=["v4", "v6"])
def test_a_datagram_arrives_with_its_source_and_the_address_it_came_to(pair: Pair, family: int) -> None:
    pair.open(pair.left, 0)
    pair.open(pair.right, 0)

    sent = pair.left.send_batch(datagrams((b"ping", Endpoint(pair.right_hosts[family], pair.right.port), None)))
    ((payload, source, local),) = receive(pair.right)

    assert (sent, payload) == (1, b"ping")
    assert source == Endpoint(pair.left_hosts[family], pair.left.port)
    assert local is not None
    assert local.host == pair.right_hosts[family]


@pytest.mark.parametrize("family", [0, 1], ids=["v4", "v6"])
def test_the_answer_leaves_from_the_address_that_was_asked(pair: Pair, family: int) -> None:  # checklist 35
    pair.open(pair.left, 0)
    pair.open(pair.right, 0)
    pair.left.send_batch(datagrams((b"ping", Endpoint(pair.right_hosts[family], pair.right.port), None)))
    ((_, source, local),) = receive(pair.right)

    pair.right.send_batch(datagrams((b"pong", source, local)))
    ((payload, answered_from, _),) = receive(pair.left)

    assert payload == b"pong"
    assert answered_from == Endpoint(pair.right_hosts[family], pair.right.port)


@pytest.mark.parametrize(
    ("family", "stale"), [(0, LocalAddress("203.0.113.9", 1)), (1, LocalAddress("2001:db8:ffff::9", 1))]
)
def test_a_stale_local_address_does_not_stop_the_datagram(
    pair: Pair, family: int, stale: LocalAddress
) -> None:  # checklist 35
    pair.open(pair.left, 0)
    pair.open(pair.right, 0)
    target = Endpoint(pair.right_hosts[family], pair.right.port)

    sent = pair.left.send_batch(datagrams((b"one", target, stale), (b"two", target, stale)))

    assert sent == 2
    assert [payload for payload, _, _ in receive(pair.right)] == [b"one", b"two"]


def test_port_zero_takes_one_free_port_for_both_families(pair: Pair) -> None:  # checklist 34
    pair.open(pair.left, 0)
    pair.open(pair.right, 0)

    assert pair.left.port not in (0, pair.right.port)
    for family in (0, 1):
        pair.right.send_batch(datagrams((b"x", Endpoint(pair.left_hosts[family], pair.left.port), None)))
        assert receive(pair.left)[0][0] == b"x"


def test_a_port_in_use_is_refused_and_the_old_sockets_stay(pair: Pair) -> None:
    pair.open(pair.left, 0)
    if pair.left_hosts == pair.right_hosts:
        pair.open(pair.right, 0)
        taken = pair.right.port
    else:
        blocker = MemoryUdp(pair.left._underlay, *pair.left_hosts)  # type: ignore[attr-defined]
        blocker.open(0)
        taken = blocker.port
    before = pair.left.port

    with pytest.raises(DriverError) as caught:
        pair.open(pair.left, taken)

    assert caught.value.os_code == pair.address_in_use
    assert pair.left.port == before
    pair.open(pair.right, pair.right.port or 0)
    pair.right.send_batch(datagrams((b"still here", Endpoint(pair.left_hosts[0], before), None)))
    assert receive(pair.left)[0][0] == b"still here"


def test_opening_another_port_moves_the_sockets(pair: Pair) -> None:
    pair.open(pair.left, 0)
    before = pair.left.port

    pair.open(pair.left, 0 if before == 51000 else 51000)

    assert pair.left.port == 51000
    pair.open(pair.right, 0)
    pair.right.send_batch(datagrams((b"new", Endpoint(pair.left_hosts[0], 51000), None)))
    assert receive(pair.left)[0][0] == b"new"


def test_a_slot_without_an_endpoint_is_not_sent(pair: Pair) -> None:
    pair.open(pair.left, 0)
    pair.open(pair.right, 0)
    target = Endpoint(pair.right_hosts[0], pair.right.port)

    sent = pair.left.send_batch(datagrams((b"a", target, None), (b"b", None, None), (b"c", target, None)))

    assert sent == 2
    assert [payload for payload, _, _ in receive(pair.right)] == [b"a", b"c"]


def test_a_datagram_longer_than_its_slot_is_lost_alone(pair: Pair) -> None:
    pair.open(pair.left, 0)
    pair.open(pair.right, 0)
    target = Endpoint(pair.right_hosts[0], pair.right.port)
    for payload in (b"a", bytes(1500), b"c"):  # in one batch they might arrive in one piece
        pair.left.send_batch(datagrams((payload, target, None)))

    received = receive(pair.right, Batch(8, 1000))

    assert [payload for payload, _, _ in received] == [b"a", b"c"]


def test_an_unreachable_target_does_not_stop_the_others(pair: Pair) -> None:  # checklist 37
    pair.open(pair.left, 0)
    pair.open(pair.right, 0)
    target = Endpoint(pair.right_hosts[0], pair.right.port)

    pair.left.send_batch(datagrams((b"lost", Endpoint("198.51.100.1", 9), None), (b"a", target, None)))
    pair.left.send_batch(datagrams((b"refused", Endpoint(pair.right_hosts[0], 9), None), (b"b", target, None)))

    assert [payload for payload, _, _ in receive(pair.right)] == [b"a", b"b"]
    assert receive(pair.left) == []


def test_a_closed_driver_sends_nothing_and_opens_again(pair: Pair) -> None:
    pair.open(pair.left, 0)
    pair.open(pair.right, 0)
    pair.left.close()
    pair.left.close()

    assert pair.left.port == 0
    assert pair.left.filenos() == ()
    assert pair.left.send_batch(datagrams((b"x", Endpoint(pair.right_hosts[0], pair.right.port), None))) == 0
    pair.open(pair.left, 0)
    assert pair.left.port != 0


def test_a_firewall_mark_is_accepted_before_and_after_opening(pair: Pair) -> None:  # checklist 36
    pair.left.set_fwmark(0x1234)
    pair.open(pair.left, 0)
    pair.left.set_fwmark(0)
    pair.open(pair.right, 0)

    assert pair.left.send_batch(datagrams((b"x", Endpoint(pair.right_hosts[0], pair.right.port), None))) == 1


TRAINS = {
    "equal": [100] * 20,
    "more than a call takes": [80] * 150,
    "more bytes than a call takes": [1452] * 100,
    "shorter end": [1452] * 47 + [33],
    "longer end": [100] * 3 + [101],
    "falling": list(range(200, 100, -1)),
    "one byte each": [1] * 30,
    "alternating": [100, 50] * 10,
    "in pairs": [100, 100, 60, 100, 100, 60, 60],
}


@pytest.mark.parametrize("family", [0, 1], ids=["v4", "v6"])
@pytest.mark.parametrize("sizes", TRAINS.values(), ids=TRAINS)
def test_a_batch_arrives_as_the_datagrams_that_it_was(pair: Pair, family: int, sizes: list[int]) -> None:
    pair.open(pair.left, 0)
    pair.open(pair.right, 0)
    target = Endpoint(pair.right_hosts[family], pair.right.port)
    payloads = [number.to_bytes(2, "big") * (size // 2) + bytes(size % 2) for number, size in enumerate(sizes)]

    sent = pair.left.send_batch(datagrams(*((payload, target, None) for payload in payloads)))
    received = receive(pair.right)

    assert sent == len(payloads)
    assert [payload for payload, _, _ in received] == payloads
    assert {source for _, source, _ in received} == {Endpoint(pair.left_hosts[family], pair.left.port)}


def test_datagrams_for_several_targets_go_each_to_its_own(pair: Pair) -> None:
    pair.open(pair.left, 0)
    pair.open(pair.right, 0)
    v4, v6 = (Endpoint(pair.right_hosts[family], pair.right.port) for family in (0, 1))
    local = LocalAddress(pair.left_hosts[0], 1)
    ways = [(v4, None), (v4, None), (v6, None), (v6, None), (v4, local), (v4, local), (v4, None), (None, None)]
    entries = [(bytes([number]) * 90, target, local) for number, (target, local) in enumerate(ways)]

    sent = pair.left.send_batch(datagrams(*entries))
    received = receive(pair.right)

    assert sent == 7
    for target in (v4, v6):
        hosts = [payload for payload, _, local in received if local is not None and local.host == target.host]
        assert hosts == [payload for payload, endpoint, _ in entries if endpoint == target]
