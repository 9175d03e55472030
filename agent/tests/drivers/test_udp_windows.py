# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the UDP driver for Windows does about each error of Winsock, on sockets in memory."""

from __future__ import annotations

import pytest
import structlog
from support.fake_winsock import HOSTS, IFINDEX, FakeWinsock
from wirefleet_agent.drivers import udp_windows as udp
from wirefleet_agent.drivers import win32_errors as win32
from wirefleet_agent.drivers.udp_windows import WindowsUdp
from wirefleet_agent.drivers.winsock_layouts import AF_INET, AF_INET6, IP_PKTINFO, IPPROTO_IP, IPPROTO_IPV6
from wirefleet_agent.errors import DriverError
from wirefleet_agent.wire.batch import Batch
from wirefleet_agent.wire.endpoint import Endpoint, LocalAddress

PORT = 51820
LOCAL = LocalAddress(HOSTS[0], IFINDEX)


@pytest.fixture
def winsock() -> FakeWinsock:
    return FakeWinsock()


@pytest.fixture
def left(winsock: FakeWinsock) -> WindowsUdp:
    made = WindowsUdp(winsock)
    made.open(0)
    return made


@pytest.fixture
def right(winsock: FakeWinsock) -> WindowsUdp:
    made = WindowsUdp(winsock)
    made.open(PORT)
    return made


TARGET = Endpoint(HOSTS[0], PORT)


def batch_of(*payloads: bytes, endpoint: Endpoint = TARGET, local: LocalAddress | None = None) -> Batch:
    batch = Batch(max(len(payloads), 1), 2048)
    for payload in payloads:
        batch.append(payload, endpoint, local)
    return batch


def received(driver: WindowsUdp, family: int = 0) -> list[bytes]:
    batch = Batch(80, 2048)
    return [bytes(batch.slot(i)) for i in range(driver.receive_batch(driver.filenos()[family], batch))]


# Opening


def test_a_socket_is_exclusive_and_quiet_about_unreachable_targets(winsock: FakeWinsock) -> None:
    WindowsUdp(winsock).open(PORT)

    for family in (AF_INET, AF_INET6):
        calls = [call for call in winsock.calls if call[1] == family]
        bind = calls.index(("bind", family, PORT))
        assert calls.index(("set_option", family, udp.SOL_SOCKET, udp.SO_EXCLUSIVEADDRUSE, 1)) < bind
        assert calls.index(("switch_off", family, udp.SIO_UDP_CONNRESET)) < bind
        assert calls.index(("switch_off", family, udp.SIO_UDP_NETRESET)) < bind
    assert ("set_option", AF_INET, IPPROTO_IP, IP_PKTINFO, 1) in winsock.calls
    assert ("set_option", AF_INET6, IPPROTO_IPV6, udp.IPV6_V6ONLY, 1) in winsock.calls


def test_a_stack_without_the_control_codes_is_good_enough(winsock: FakeWinsock) -> None:
    winsock.fail("switch_off", win32.WSAEINVAL, win32.WSAEINVAL)

    WindowsUdp(winsock).open(PORT)

    assert (AF_INET, PORT) in winsock.bound


@pytest.mark.parametrize(
    ("code", "hint"),
    [(win32.WSAEADDRINUSE, "another program uses"), (win32.WSAEACCES, "excludedportrange")],
)
def test_a_port_that_is_not_to_be_had_is_an_error_with_code_and_hint(
    winsock: FakeWinsock, code: int, hint: str
) -> None:
    winsock.fail("bind", code)

    with pytest.raises(DriverError) as caught:
        WindowsUdp(winsock).open(PORT)

    assert (caught.value.call, caught.value.os_code, caught.value.path) == ("bind", code, f"UDP port {PORT}")
    assert hint in (caught.value.hint or "")
    assert winsock.bound == {}


def test_a_free_port_must_be_free_for_both_families(winsock: FakeWinsock) -> None:
    taken = winsock.socket(AF_INET6)
    taken.bind(50001)  # what the fake hands out first

    driver = WindowsUdp(winsock)
    driver.open(0)

    assert driver.port == 50002
    assert {port for _, port in winsock.bound} == {50001, 50002}


@pytest.mark.parametrize("code", [win32.WSAEAFNOSUPPORT, win32.WSAEPROTONOSUPPORT])
def test_a_host_without_ipv6_has_one_socket(winsock: FakeWinsock, code: int) -> None:
    driver = WindowsUdp(FakeWinsock(families=(AF_INET,)))

    driver.open(PORT)

    assert len(driver.filenos()) == 1
    assert driver.send_batch(batch_of(b"x", endpoint=Endpoint("::1", PORT))) == 0


def test_a_host_without_any_family_is_an_error() -> None:
    with pytest.raises(DriverError) as caught:
        WindowsUdp(FakeWinsock(families=())).open(PORT)

    assert (caught.value.call, caught.value.os_code) == ("socket", win32.WSAEAFNOSUPPORT)


@pytest.mark.parametrize("call", ["socket", "set_option"])
def test_a_call_that_fails_for_another_reason_is_named(winsock: FakeWinsock, call: str) -> None:
    winsock.fail(call, 10055)

    with pytest.raises(DriverError) as caught:
        WindowsUdp(winsock).open(PORT)

    assert (caught.value.call, caught.value.os_code) == (call, 10055)


# Receiving


@pytest.mark.parametrize("code", [win32.WSAECONNRESET, win32.WSAENETRESET, 10050])
def test_a_report_about_another_datagram_costs_nothing(
    winsock: FakeWinsock, left: WindowsUdp, right: WindowsUdp, code: int
) -> None:
    left.send_batch(batch_of(b"one", b"two"))
    winsock.fail("receive", code)

    assert received(right) == [b"one", b"two"]
    assert right.receive_errors == 1


def test_an_endless_series_of_errors_ends_with_the_batch(winsock: FakeWinsock, right: WindowsUdp) -> None:
    winsock.fail("receive", *[win32.WSAECONNRESET] * 100)

    assert received(right) == []
    assert right.receive_errors == 80


def test_receiving_stops_at_the_first_word_that_there_is_no_more(
    winsock: FakeWinsock, left: WindowsUdp, right: WindowsUdp
) -> None:
    left.send_batch(batch_of(b"one", b"two"))
    winsock.calls.clear()

    received(right)

    assert winsock.calls == [("receive",)] * 3


def test_a_full_batch_asks_for_no_more(winsock: FakeWinsock, left: WindowsUdp, right: WindowsUdp) -> None:
    left.send_batch(batch_of(b"one", b"two", b"three"))
    winsock.calls.clear()
    batch = Batch(2, 2048)

    assert right.receive_batch(right.filenos()[0], batch) == 2

    assert winsock.calls == [("receive",)] * 2
    assert received(right) == [b"three"]


def test_the_local_address_is_told_with_its_interface(left: WindowsUdp, right: WindowsUdp) -> None:
    left.send_batch(batch_of(b"one"))
    batch = Batch(8, 2048)

    right.receive_batch(right.filenos()[0], batch)

    assert (batch.endpoints[0], batch.locals[0]) == (Endpoint(HOSTS[0], left.port), LOCAL)


# Sending


def test_the_sticky_source_goes_with_the_datagram(winsock: FakeWinsock, left: WindowsUdp) -> None:
    left.send_batch(batch_of(b"x", local=LOCAL))

    assert winsock.sent == [(TARGET, HOSTS[0], (b"x",))]


@pytest.mark.parametrize(
    "code",
    [
        win32.WSAEINVAL,
        win32.WSAEADDRNOTAVAIL,
        win32.WSAENETUNREACH,
        win32.WSAEHOSTUNREACH,
        win32.WSAENETDOWN,
    ],
)
def test_a_stale_source_is_left_out_until_the_routes_change(
    winsock: FakeWinsock, left: WindowsUdp, code: int
) -> None:  # checklist 35
    winsock.fail("send", code)

    assert left.send_batch(batch_of(b"x", b"y", local=LOCAL)) == 2
    left.forget_sources()
    left.send_batch(batch_of(b"z", local=LOCAL))

    assert [(local, datagrams) for _, local, datagrams in winsock.sent] == [
        (None, (b"x",)),
        (None, (b"y",)),
        (HOSTS[0], (b"z",)),
    ]


@pytest.mark.parametrize("code", [win32.WSAENETUNREACH, win32.WSAEACCES, win32.WSAEMSGSIZE, 10055])
def test_a_transient_error_drops_that_datagram_only(
    winsock: FakeWinsock, left: WindowsUdp, right: WindowsUdp, code: int
) -> None:  # checklist 37
    winsock.fail("send", code)

    assert left.send_batch(batch_of(b"lost", b"kept")) == 1

    assert received(right) == [b"kept"]


def test_a_full_buffer_is_waited_for_a_moment(winsock: FakeWinsock, left: WindowsUdp, right: WindowsUdp) -> None:
    winsock.fail("send", win32.WSAEWOULDBLOCK)

    assert left.send_batch(batch_of(b"one", b"two")) == 2

    assert winsock.calls.count(("wait_writable", 0.01)) == 1
    assert received(right) == [b"one", b"two"]


def test_a_batch_waits_in_vain_at_most_once(winsock: FakeWinsock, left: WindowsUdp) -> None:
    winsock.is_writable = False
    winsock.fail("send", *[win32.WSAEWOULDBLOCK] * 5)

    assert left.send_batch(batch_of(*[b"x"] * 5)) == 0

    assert winsock.calls.count(("wait_writable", 0.01)) == 1


def test_a_firewall_mark_does_nothing(winsock: FakeWinsock, left: WindowsUdp) -> None:  # checklist 36
    winsock.calls.clear()

    left.set_fwmark(0x1234)

    assert winsock.calls == []


# Segmentation offload


def test_a_stack_that_cannot_segment_is_asked_and_told_of_once(winsock: FakeWinsock) -> None:
    driver = WindowsUdp(winsock)
    with structlog.testing.capture_logs() as logs:
        driver.open(PORT)
        driver.open(PORT + 1)
    driver.send_batch(batch_of(b"aa", b"bb"))

    assert [(entry["is_available"], entry["code"]) for entry in logs] == [(False, win32.WSAEINVAL)]
    assert [datagrams for _, _, datagrams in winsock.sent] == [(b"aa",), (b"bb",)]


def test_a_run_of_equal_datagrams_leaves_in_one_call() -> None:
    winsock = FakeWinsock(can_segment=True)
    left, right = WindowsUdp(winsock), WindowsUdp(winsock)
    left.open(0)
    right.open(PORT)
    batch = batch_of(b"aaaa", b"bbbb", b"cc", b"dddd", b"eeeeee", local=LOCAL)

    assert left.send_batch(batch) == 5

    assert [(local, datagrams) for _, local, datagrams in winsock.sent] == [
        (HOSTS[0], (b"aaaa", b"bbbb", b"cc")),
        (HOSTS[0], (b"dddd",)),
        (HOSTS[0], (b"eeeeee",)),
    ]
    assert received(right) == [b"aaaa", b"bbbb", b"cc", b"dddd", b"eeeeee"]


def test_a_run_ends_at_another_peer_another_source_an_empty_slot_and_64_kilobytes() -> None:
    winsock = FakeWinsock(can_segment=True)
    left = WindowsUdp(winsock)
    left.open(0)
    other = Endpoint(HOSTS[0], PORT + 1)
    batch = Batch(70, 2048)
    for endpoint, local in ((TARGET, None), (other, None), (other, LOCAL), (None, None), (other, LOCAL)):
        batch.append(b"xxxx", endpoint, local)
    for _ in range(50):
        batch.append(bytes(1452), TARGET, None)

    assert left.send_batch(batch) == 54

    assert [len(datagrams) for _, _, datagrams in winsock.sent] == [1, 1, 1, 1, 41, 9]


def test_segmentation_that_fails_is_not_tried_again() -> None:
    winsock = FakeWinsock(can_segment=True)
    left = WindowsUdp(winsock)
    left.open(0)
    winsock.fail("send", win32.WSAEINVAL)

    with structlog.testing.capture_logs() as logs:
        sent = left.send_batch(batch_of(b"aa", b"bb")) + left.send_batch(batch_of(b"cc", b"dd"))

    assert sent == 4
    assert [datagrams for _, _, datagrams in winsock.sent] == [(b"aa",), (b"bb",), (b"cc",), (b"dd",)]
    assert [entry["event"] for entry in logs] == ["udp_segmentation_failed"]


def test_a_full_buffer_does_not_end_segmentation() -> None:
    winsock = FakeWinsock(can_segment=True)
    left = WindowsUdp(winsock)
    left.open(0)
    winsock.fail("send", win32.WSAEWOULDBLOCK)

    left.send_batch(batch_of(b"aa", b"bb"))
    left.send_batch(batch_of(b"cc", b"dd"))

    assert [datagrams for _, _, datagrams in winsock.sent] == [(b"aa",), (b"bb",), (b"cc", b"dd")]


@pytest.mark.parametrize("code", [win32.WSAENETUNREACH, win32.WSAEHOSTUNREACH, win32.WSAENETDOWN])
def test_a_way_that_is_lost_for_a_while_does_not_end_segmentation(code: int) -> None:
    winsock = FakeWinsock(can_segment=True)
    left = WindowsUdp(winsock)
    left.open(0)
    winsock.fail("send", code, code, code)

    assert left.send_batch(batch_of(b"aa", b"bb")) == 0
    left.send_batch(batch_of(b"cc", b"dd"))

    assert [datagrams for _, _, datagrams in winsock.sent] == [(b"cc", b"dd")]


def test_a_stale_source_does_not_end_segmentation() -> None:
    winsock = FakeWinsock(can_segment=True)
    left = WindowsUdp(winsock)
    left.open(0)
    winsock.fail("send", win32.WSAEINVAL, win32.WSAEINVAL)

    left.send_batch(batch_of(b"aa", b"bb", local=LOCAL))
    left.send_batch(batch_of(b"cc", b"dd", local=LOCAL))

    assert [(local, datagrams) for _, local, datagrams in winsock.sent] == [
        (None, (b"aa",)), (None, (b"bb",)), (None, (b"cc", b"dd")),
    ]  # fmt: skip


def test_too_little_memory_for_a_whole_run_does_not_end_segmentation() -> None:
    winsock = FakeWinsock(can_segment=True)
    left = WindowsUdp(winsock)
    left.open(0)
    winsock.fail("send", win32.WSAENOBUFS)

    left.send_batch(batch_of(b"aa", b"bb"))
    left.send_batch(batch_of(b"cc", b"dd"))

    assert [datagrams for _, _, datagrams in winsock.sent] == [(b"aa",), (b"bb",), (b"cc", b"dd")]


# Memory


def test_batches_come_and_go_without_being_mixed_up(winsock: FakeWinsock, left: WindowsUdp, right: WindowsUdp) -> None:
    for number in range(30):
        payload = f"datagram {number}".encode()

        assert left.send_batch(batch_of(payload)) == 1
        assert received(right) == [payload]
