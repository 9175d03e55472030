# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""An allowed IP is read as ``ipaddress`` reads it, host bits masked."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirefleet_agent.config import ValueProblem, parse_prefix


# checklist 38
@given(st.ip_addresses(), st.integers(0, 128))
def test_every_address_and_length(address: ipaddress.IPv4Address | ipaddress.IPv6Address, length: int) -> None:
    text = f"{address}/{min(length, address.max_prefixlen)}"

    assert parse_prefix(text) == ipaddress.ip_network(text, strict=False)
    assert str(parse_prefix(text)) == str(ipaddress.ip_network(text, strict=False))
    assert parse_prefix(str(address)) == ipaddress.ip_network(address)


@pytest.mark.parametrize("length", ["129", "", "-1", "+8", "08", "8 ", "255.0.0.0", "9" * 5000])
@pytest.mark.parametrize("address", ["10.0.0.0", "fd86::"])
def test_a_length_that_is_none(address: str, length: str) -> None:
    with pytest.raises(ValueProblem):
        parse_prefix(f"{address}/{length}")


def test_a_length_of_the_other_family() -> None:
    with pytest.raises(ValueProblem):
        parse_prefix("10.0.0.0/33")
