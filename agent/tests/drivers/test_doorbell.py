# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The descriptor that other threads make readable."""

from __future__ import annotations

import select
import socket

import pytest
from wirefleet_agent.drivers import doorbell
from wirefleet_agent.drivers.doorbell import Doorbell, signal_pair


def is_readable(bell: Doorbell, timeout_s: float) -> bool:
    return bool(select.select([bell.fileno()], [], [], timeout_s)[0])


def test_it_is_readable_from_ring_to_silence() -> None:
    bell = Doorbell()
    assert not is_readable(bell, 0)

    bell.ring()
    bell.ring()
    assert is_readable(bell, 1)
    bell.silence()

    assert not is_readable(bell, 0)
    bell.close()


def test_a_closed_bell_is_silent() -> None:
    bell = Doorbell()
    bell.close()
    bell.close()

    bell.ring()
    bell.silence()


def loopback_pair(*, is_hijacked: bool) -> tuple[socket.socket, socket.socket]:
    """What Python does on Windows; hijacked: the accepted connection is another process's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        other = socket.create_connection(listener.getsockname()) if is_hijacked else None
        writer = socket.create_connection(listener.getsockname())
        reader, _ = listener.accept()
        if other is not None:
            other.close()
        return reader, writer


def test_a_pair_over_tcp_holds_no_byte_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell.socket, "socketpair", lambda: loopback_pair(is_hijacked=False))

    reader, writer = signal_pair()

    assert writer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    reader.close()
    writer.close()


def test_a_pair_that_another_process_got_into_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [loopback_pair(is_hijacked=True), loopback_pair(is_hijacked=False)]
    monkeypatch.setattr(doorbell.socket, "socketpair", lambda: pairs.pop(0))

    reader, writer = signal_pair()

    assert pairs == []
    assert reader.getpeername() == writer.getsockname()
    reader.close()
    writer.close()


def test_whoever_always_gets_in_between_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell.socket, "socketpair", lambda: loopback_pair(is_hijacked=True))

    with pytest.raises(ConnectionError):
        signal_pair()
