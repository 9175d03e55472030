# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What a get tells, and how bytes become requests."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.configs import preshared_key, private_key, public_key
from support.control import Bench
from support.net import Network
from wirefleet_agent.control import uapi
from wirefleet_agent.control.uapi import GetRequest, RequestReader, SetRequest

A = public_key("a")


def test_an_empty_device_tells_nothing() -> None:
    assert Bench().get() == []
    assert uapi.render_reply(0) == b"errno=0\n\n"


def test_a_device_is_told_in_the_order_of_wireguard_go() -> None:  # checklist 40, 41, 42
    bench = Bench()
    key, psk = private_key("x").reveal_hex(), preshared_key("a").reveal_hex()
    bench.set(f"private_key={key}", "listen_port=51820", "fwmark=7", f"public_key={A.hex()}", f"preshared_key={psk}")
    bench.set(f"public_key={A.hex()}", "endpoint=[2001:db8::1]:5", "persistent_keepalive_interval=9")
    bench.set(f"public_key={A.hex()}", "allowed_ip=10.1.0.0/16", "allowed_ip=fd00::/8")

    assert bench.get() == [
        f"private_key={key}",
        "listen_port=51820",
        "fwmark=7",
        f"public_key={A.hex()}",
        f"preshared_key={psk}",
        "protocol_version=1",
        "endpoint=[2001:db8::1]:5",
        "last_handshake_time_sec=0",
        "last_handshake_time_nsec=0",
        "tx_bytes=0",
        "rx_bytes=0",
        "persistent_keepalive_interval=9",
        "allowed_ip=10.1.0.0/16",
        "allowed_ip=fd00::/8",
    ]


def test_a_peer_without_a_preshared_key_tells_zeros_and_without_an_endpoint_none() -> None:
    bench = Bench()
    bench.set(f"public_key={A.hex()}")

    assert f"preshared_key={'0' * 64}" in bench.get()
    assert not [line for line in bench.get() if line.startswith("endpoint")]


def test_handshake_time_and_counters_are_told(net: Network) -> None:  # checklist 42
    left, right = net.node("left"), net.node("right")
    net.connect(left, right)
    left.send(right, b"hello")
    net.run_for(1)
    bench = Bench()

    told = dict(line.split("=", 1) for line in "".join(uapi.render_get(left.device, bench.sockets)).splitlines())

    assert int(told["last_handshake_time_sec"]) >= 1_700_000_000
    assert 0 <= int(told["last_handshake_time_nsec"]) < 10**9
    assert int(told["tx_bytes"]) > 148
    assert int(told["rx_bytes"]) >= 92


def test_what_is_told_can_be_set() -> None:
    bench, copy = Bench(), Bench()
    bench.set(f"private_key={private_key('x').reveal_hex()}", "listen_port=7", f"public_key={A.hex()}")
    bench.set(f"public_key={A.hex()}", "endpoint=192.0.2.1:5", "allowed_ip=10.1.0.0/16")

    copy.set(*[line for line in bench.get() if not line.startswith(("last_", "rx_", "tx_"))])

    assert copy.get() == bench.get()


REQUESTS = b"get=1\n\nset=1\nfwmark=1\n\nset=1\n\nget=1\n\n"
CUT = [GetRequest(), SetRequest(b"fwmark=1\n"), SetRequest(b""), GetRequest()]


@given(st.lists(st.integers(0, len(REQUESTS)), max_size=6))
def test_requests_are_cut_alike_however_they_arrive(cuts: list[int]) -> None:  # checklist 40
    reader = RequestReader()
    edges = [0, *sorted(cuts), len(REQUESTS)]

    found = [r for start, end in itertools.pairwise(edges) for r in reader.feed(REQUESTS[start:end])]

    assert found == CUT


def test_requests_byte_by_byte() -> None:
    reader = RequestReader()

    assert [r for index in range(len(REQUESTS)) for r in reader.feed(REQUESTS[index : index + 1])] == CUT


@pytest.mark.parametrize("data", [b"put=1\n", b"x", b"get=2\n\n", b"get=10", b"\n\n", b"get=1\nfwmark=1\n\n"])
def test_an_unknown_operation_is_told_by_an_error_after_the_good_requests(data: bytes) -> None:  # checklist 40
    requests = RequestReader().feed(b"get=1\n\n" + data)

    assert next(requests) == GetRequest()
    with pytest.raises(uapi.UapiError) as caught:
        next(requests)
    assert caught.value.errno == 71


def test_a_request_without_an_end_is_given_up() -> None:
    reader = RequestReader()
    assert list(reader.feed(b"set=1\n".ljust(uapi.MAX_REQUEST_BYTES, b"x"))) == []

    with pytest.raises(uapi.UapiError, match="without an end"):
        list(reader.feed(b"x"))


def test_a_set_is_never_shown_with_its_secrets() -> None:
    assert "private_key" not in repr(SetRequest(b"private_key=00\n"))
