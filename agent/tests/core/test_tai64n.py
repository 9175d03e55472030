# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Handshake stamps."""

from __future__ import annotations

from support.net import Network
from wirefleet_agent.core import stamp_of, tai64n, wall_time


# checklist 5
def test_the_base_is_ten_seconds_past_2_to_62() -> None:
    assert stamp_of(0, 0).hex() == "400000000000000a00000000"
    assert wall_time(stamp_of(1_700_000_000, 123)) == (1_700_000_000, 123)


# checklist 5
def test_the_low_24_bits_of_the_nanoseconds_are_hidden() -> None:
    assert tai64n.masked(stamp_of(1, 0x3ABCDEF0)) == stamp_of(1, 0x3A000000)


def test_a_stamp_is_always_after_the_last_one() -> None:
    last = stamp_of(100, 0x3A000000)

    assert tai64n.masked_after(stamp_of(101, 5), last) == stamp_of(101, 0)
    assert tai64n.masked_after(stamp_of(100, 0x3AFFFFFF), last) == stamp_of(100, 0x3B000000)
    assert tai64n.masked_after(stamp_of(50, 0), stamp_of(100, 0x3B000000)) == stamp_of(101, 0)


def test_a_wall_clock_that_steps_back_does_not_lock_the_host_out(net: Network) -> None:
    a, b = net.established_pair()
    a.wall_offset_s = -86_400

    net.run_for(200)
    a.send(b, b"after the step")
    net.run_for(1)

    assert b.payloads == [b"after the step"]
