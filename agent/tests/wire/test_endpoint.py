# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Underlay addresses as text and as bytes."""

from __future__ import annotations

import pytest
from wirefleet_agent.wire import Endpoint


@pytest.mark.parametrize("text", ["192.0.2.1:51820", "[2001:db8::1]:1", "[fe80::1%3]:65535"])
def test_an_endpoint_reads_back_as_written(text: str) -> None:
    assert str(Endpoint.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", ":1", "192.0.2.1", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1:²",
     "2001:db8::1", "[2001:db8::1]", "[::1%eth0]:1", "host.example:1", "[192.0.2.1]:1", "192.0.2.1:000001"],
)  # fmt: skip
def test_anything_else_is_no_endpoint(text: str) -> None:
    with pytest.raises(ValueError):
        Endpoint.parse(text)


def test_the_packed_form_is_address_and_port() -> None:
    assert Endpoint.parse("192.0.2.1:258").packed() == bytes([192, 0, 2, 1, 1, 2])
    assert Endpoint.parse("[::1]:1").packed() == bytes(15) + b"\1" + b"\0\1"
    assert Endpoint.parse("[::1]:1").is_ipv6
    assert not Endpoint.parse("192.0.2.1:258").is_ipv6
