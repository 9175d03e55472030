# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the driver for Windows does about each error that wintun.h documents, on a Wintun in memory."""

from __future__ import annotations

import select
from collections.abc import Iterator

import pytest
import structlog
from support.fake_wintun import LUID, FakeWintun
from support.packets import ip_packet
from wirefleet_agent.drivers import win32_errors as win32
from wirefleet_agent.drivers.interfaces import LinkEvent
from wirefleet_agent.drivers.tun_windows import RING_BYTES, TUNNEL_TYPE, WindowsTun, adapter_guid
from wirefleet_agent.errors import DriverError
from wirefleet_agent.wire.batch import Batch

NAME = "上海-01"
PACKET = ip_packet("10.99.0.1", "10.99.0.2", b"payload")


@pytest.fixture
def wintun() -> FakeWintun:
    return FakeWintun()


@pytest.fixture
def tun(wintun: FakeWintun) -> Iterator[WindowsTun]:
    made = WindowsTun(NAME, mtu_bytes=1420, wintun=wintun)
    yield made
    made.close()
    assert not wintun.misuse
    assert wintun.held_packets == 0


def wait_for(tun: WindowsTun) -> bool:
    return bool(select.select([tun.fileno()], [], [], 2)[0])


def read(tun: WindowsTun, batch: Batch) -> list[bytes]:
    return [bytes(batch.slot(i)) for i in range(tun.read_batch(batch))]


def read_often(tun: WindowsTun) -> None:
    for _ in range(10):
        tun.read_batch(Batch(8, 2048))


# Making the adapter


def test_the_adapter_gets_name_type_and_a_guid_of_its_own(tun: WindowsTun, wintun: FakeWintun) -> None:
    assert wintun.named("create_adapter") == [("create_adapter", NAME, TUNNEL_TYPE, adapter_guid(NAME))]
    assert wintun.named("start_session") == [("start_session", 101, RING_BYTES)]
    assert tun.luid == LUID


def test_the_guid_is_the_same_for_names_that_windows_takes_for_equal() -> None:
    assert adapter_guid("Hub-1") == adapter_guid("hub-1")
    assert adapter_guid("caf\u00e9") == adapter_guid("cafe\u0301")
    assert adapter_guid("hub-1") != adapter_guid("hub-2")
    # Other versions of the agent must find the same adapter: this value is for ever.
    assert str(adapter_guid("wf0")) == GUID_OF_WF0


GUID_OF_WF0 = "1207f58f-af97-57aa-ae93-49ec48298af4"


@pytest.mark.parametrize(
    "code",
    [
        win32.ERROR_ALREADY_EXISTS,
        win32.ERROR_FILE_EXISTS,
        win32.ERROR_OBJECT_ALREADY_EXISTS,
        0x800700B7 - (1 << 32),  # what SwDeviceCreate said, which Wintun passes on and ctypes takes for signed
    ],
)
def test_an_adapter_that_is_left_over_is_taken_over(wintun: FakeWintun, code: int) -> None:
    wintun.fail("create_adapter", code)

    with structlog.testing.capture_logs() as logs:
        WindowsTun(NAME, wintun=wintun).close()

    assert wintun.named("open_adapter") == [("open_adapter", NAME)]
    assert "adapter_reused" in [entry["event"] for entry in logs]


def test_an_adapter_that_exists_and_cannot_be_opened_is_named(wintun: FakeWintun) -> None:
    wintun.fail("create_adapter", win32.ERROR_ALREADY_EXISTS)
    wintun.fail("open_adapter", win32.ERROR_NOT_FOUND)

    with pytest.raises(DriverError) as caught:
        WindowsTun(NAME, wintun=wintun)

    assert caught.value.os_code == win32.ERROR_ALREADY_EXISTS
    assert "doctor" in (caught.value.hint or "")
    assert caught.value.path == NAME


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (win32.ERROR_ACCESS_DENIED, "SYSTEM"),
        (win32.ERROR_SERVICE_DISABLED, "NetSetupSvc"),
        (win32.ERROR_PRIVILEGE_NOT_HELD, "privileges"),
        (win32.ERROR_TIMEOUT, "tried again"),
        (win32.WAIT_TIMEOUT, "tried again"),
        (win32.ERROR_DEVICE_NOT_AVAILABLE, "reboot"),
        (1450, "net helpmsg 1450"),
    ],
)
def test_an_adapter_that_cannot_be_made_is_an_error_with_code_and_hint(
    wintun: FakeWintun, code: int, hint: str
) -> None:
    wintun.fail("create_adapter", code)

    with pytest.raises(DriverError) as caught:
        WindowsTun(NAME, wintun=wintun)

    assert (caught.value.os_code, caught.value.call) == (code, "Wintun.create_adapter")
    assert hint in (caught.value.hint or "")
    assert wintun.named("open_adapter") == []


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (win32.ERROR_ALREADY_INITIALIZED, "another process"),
        (win32.ERROR_FILE_NOT_FOUND, "not loaded"),
        (win32.ERROR_ACCESS_DENIED, "SYSTEM"),
    ],
)
def test_without_a_session_the_adapter_is_given_back(wintun: FakeWintun, code: int, hint: str) -> None:
    wintun.fail("start_session", code)

    with pytest.raises(DriverError) as caught:
        WindowsTun(NAME, wintun=wintun)

    assert (caught.value.os_code, caught.value.call) == (code, "Wintun.start_session")
    assert hint in (caught.value.hint or "")
    assert wintun.named("close_adapter") == [("close_adapter", 101)]


def test_the_version_of_the_driver_and_what_the_dll_says_are_logged(wintun: FakeWintun) -> None:
    with structlog.testing.capture_logs() as logs:
        tun = WindowsTun(NAME, wintun=wintun)
        assert wintun.log is not None
        for level, line in enumerate(("Creating adapter", "Orphaned adapter is in use", "Failed to create adapter")):
            wintun.log(level, line)
        tun.close()

    assert [(entry["log_level"], entry["message"]) for entry in logs if entry["event"] == "wintun"] == [
        ("debug", "Creating adapter"),
        ("warning", "Orphaned adapter is in use"),
        ("warning", "Failed to create adapter"),
    ]
    assert [entry["driver_version"] for entry in logs if entry["event"] == "wintun_loaded"] == ["0.14"]
    assert wintun.log is None


def test_an_unknown_version_of_the_driver_is_no_reason_to_stop(wintun: FakeWintun) -> None:
    wintun.fail("driver_version", win32.ERROR_FILE_NOT_FOUND)

    with structlog.testing.capture_logs() as logs:
        WindowsTun(NAME, wintun=wintun).close()

    assert "wintun_version_unknown" in [entry["event"] for entry in logs]


# Packets


def test_the_bell_rings_once_for_a_burst_and_is_silent_when_it_is_read(tun: WindowsTun, wintun: FakeWintun) -> None:
    wintun.inject(*[PACKET] * 5)
    assert wait_for(tun)

    assert len(read(tun, Batch(8, 2048))) == 5

    assert not select.select([tun.fileno()], [], [], 0)[0]
    wintun.inject(PACKET)
    assert wait_for(tun)


def test_what_a_busy_loop_leaves_stays_in_the_ring(tun: WindowsTun, wintun: FakeWintun) -> None:
    wintun.inject(*[PACKET] * 5)
    assert wait_for(tun)

    assert len(read(tun, Batch(2, 2048))) == 2

    assert wait_for(tun)  # still ringing
    assert wintun.held_packets == 0
    assert len(read(tun, Batch(8, 2048))) == 3


def test_a_wake_up_that_the_driver_forgets_costs_a_quarter_of_a_second(tun: WindowsTun, wintun: FakeWintun) -> None:
    wintun.inject(PACKET, is_silent=True)

    assert wait_for(tun)
    assert read(tun, Batch(8, 2048)) == [PACKET]


def test_a_packet_longer_than_its_slot_is_cut_and_harms_nobody(tun: WindowsTun, wintun: FakeWintun) -> None:
    long = ip_packet("10.99.0.1", "10.99.0.2", bytes(3000))
    batch = Batch(8, 2048, headroom=16)
    wintun.inject(long, PACKET)
    assert wait_for(tun)

    assert read(tun, batch) == [long[: 2048 - 16], PACKET]


def test_packets_that_the_full_ring_has_no_room_for_are_not_taken(tun: WindowsTun, wintun: FakeWintun) -> None:
    assert tun.write_packets([PACKET]) == 1
    wintun.is_full = True

    assert tun.write_packets([PACKET, PACKET]) == 0

    wintun.is_full = False
    assert tun.write_packets([PACKET]) == 1
    assert wintun.delivered == [PACKET, PACKET]


def test_packets_of_every_kind_of_buffer_go_out_in_order(tun: WindowsTun, wintun: FakeWintun) -> None:
    other = ip_packet("fd99::1", "fd99::2", b"six")

    assert tun.write_packets([PACKET, bytearray(other), memoryview(b"xx" + PACKET)[2:]]) == 3

    assert wintun.delivered == [PACKET, other, PACKET]


# A ring that comes to harm


def test_invalid_data_costs_the_session_but_not_the_tunnel(tun: WindowsTun, wintun: FakeWintun) -> None:
    wintun.fail("receive_packet", win32.ERROR_INVALID_DATA, win32.ERROR_INVALID_DATA)
    wintun.inject(PACKET)
    assert wait_for(tun)

    assert read(tun, Batch(8, 2048)) == []

    assert len(wintun.named("end_session")) == 1
    assert len(wintun.named("start_session")) == 2
    assert wintun.named("close_adapter") == []
    wintun.inject(PACKET)
    assert wait_for(tun)
    assert read(tun, Batch(8, 2048)) == [PACKET]
    assert tun.write_packets([PACKET]) == 1


def test_packets_before_the_harm_are_kept(tun: WindowsTun, wintun: FakeWintun) -> None:
    wintun.inject(PACKET)
    assert wait_for(tun)
    wintun.fail("receive_packet", win32.ERROR_INVALID_DATA)

    assert read(tun, Batch(8, 2048)) == [PACKET]


def test_a_ring_that_is_harmed_again_and_again_ends_the_interface(tun: WindowsTun, wintun: FakeWintun) -> None:
    wintun.fail("receive_packet", *[win32.ERROR_INVALID_DATA] * 50)

    with pytest.raises(DriverError) as caught:
        read_often(tun)

    assert (caught.value.call, caught.value.os_code) == ("read", win32.ERROR_INVALID_DATA)
    assert LinkEvent.REMOVED in tun.link_events()


def test_a_session_that_cannot_be_made_anew_ends_the_interface(tun: WindowsTun, wintun: FakeWintun) -> None:
    wintun.fail("receive_packet", *[win32.ERROR_INVALID_DATA] * 2)
    wintun.fail("start_session", win32.ERROR_FILE_NOT_FOUND)

    with pytest.raises(DriverError) as caught:
        read_often(tun)

    assert (caught.value.call, caught.value.os_code) == ("read", win32.ERROR_FILE_NOT_FOUND)
    assert "not loaded" in (caught.value.hint or "")
    assert LinkEvent.REMOVED in tun.link_events()


def test_an_adapter_that_goes_away_is_noticed_without_any_packet(tun: WindowsTun, wintun: FakeWintun) -> None:
    assert tun.link_events() == [LinkEvent.UP]

    wintun.remove()

    assert select.select([tun.events_fileno()], [], [], 2)[0]
    assert tun.link_events() == [LinkEvent.REMOVED]
    assert tun.write_packets([PACKET]) == 0
    with pytest.raises(DriverError) as caught:
        tun.read_batch(Batch(8, 2048))
    assert (caught.value.call, caught.value.os_code) == ("read", win32.ERROR_HANDLE_EOF)
    assert "removed or disabled" in (caught.value.hint or "")


def test_an_adapter_that_is_gone_while_we_write_is_reported_once(tun: WindowsTun, wintun: FakeWintun) -> None:
    tun.link_events()
    wintun.fail("allocate_packet", win32.ERROR_HANDLE_EOF)

    assert tun.write_packets([PACKET, PACKET]) == 0

    assert tun.link_events() == [LinkEvent.REMOVED]
    assert tun.link_events() == []


def test_down_ends_the_session_and_keeps_the_adapter(tun: WindowsTun, wintun: FakeWintun) -> None:
    tun.set_link(is_up=False)
    assert tun.read_batch(Batch(8, 2048)) == 0
    tun.set_link(is_up=True)

    assert wintun.named("close_adapter") == []
    assert len(wintun.named("start_session")) == 2
    assert tun.link_events() == [LinkEvent.UP, LinkEvent.DOWN, LinkEvent.UP]


def test_a_link_that_is_down_keeps_no_loop_busy(tun: WindowsTun, wintun: FakeWintun) -> None:
    wintun.inject(PACKET)
    assert wait_for(tun)
    tun.set_link(is_up=False)
    tun.link_events()

    assert tun.read_batch(Batch(8, 2048)) == 0

    assert not select.select([tun.fileno(), tun.events_fileno()], [], [], 0)[0]


def test_closing_ends_the_session_before_the_adapter(wintun: FakeWintun) -> None:
    tun = WindowsTun(NAME, wintun=wintun)

    tun.close()
    tun.close()

    assert [call[0] for call in wintun.calls[-2:]] == ["end_session", "close_adapter"]
