# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Listening sockets: on one address, and on Linux on one interface too."""

from __future__ import annotations

import errno
import socket

import pytest
from wirefleet_agent.drivers.tcp_listeners import ListenAt, listen_places, open_listener
from wirefleet_agent.errors import DriverError


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_it_listens_on_its_address_without_blocking(port: int) -> None:
    with open_listener(ListenAt("127.0.0.1", port)) as listener:
        assert listener.getsockname() == ("127.0.0.1", port)
        with pytest.raises(BlockingIOError):
            listener.accept()
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "224.0.0.1", "ff02::1"])
def test_an_address_that_means_more_than_this_host_is_refused(address: str, port: int) -> None:
    with pytest.raises(DriverError, match="no address of one host"):
        open_listener(ListenAt(address, port))


def test_an_address_that_the_host_does_not_have_is_an_error_of_the_system(port: int) -> None:
    with pytest.raises(DriverError) as caught:
        open_listener(ListenAt("192.0.2.77", port))

    assert caught.value.call == "bind"
    assert caught.value.os_code in (errno.EADDRNOTAVAIL, 10049)


def test_a_port_can_be_taken_once_only(port: int) -> None:
    with open_listener(ListenAt("127.0.0.1", port)), pytest.raises(DriverError) as caught:
        open_listener(ListenAt("127.0.0.1", port))

    assert caught.value.os_code in (errno.EADDRINUSE, 10048, 10013)


@pytest.mark.linux_only
def test_an_interface_has_a_place_for_others_and_one_for_the_host_itself() -> None:
    others, own = listen_places("10.9.0.1", 19586, "lo")

    assert (others.interface, others.index, own.interface) == ("lo", socket.if_nametoindex("lo"), "lo")
    assert str(others) == "10.9.0.1:19586%lo"
    assert listen_places("10.9.0.1", 19586, "wf-none") == ()


@pytest.mark.linux_only
def test_a_socket_of_an_interface_is_bound_to_it(port: int) -> None:
    with open_listener(ListenAt("127.0.0.1", port, "lo", 1)) as listener:
        bound = listener.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)

    assert bound.rstrip(b"\0") == b"lo"
