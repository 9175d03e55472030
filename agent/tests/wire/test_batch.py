# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The batch: slots of one flat buffer."""

from __future__ import annotations

import pytest
from wirefleet_agent.wire.batch import Batch
from wirefleet_agent.wire.endpoint import Endpoint


def test_a_payload_lies_behind_the_headroom_of_its_slot() -> None:
    batch = Batch(3, 64, headroom=16)

    batch.append(b"one")
    batch.append(b"three", Endpoint("192.0.2.1", 1))

    assert bytes(batch.slot(1)) == b"three"
    assert batch.buffer[64 + 16 : 64 + 21] == b"three"
    assert (batch.count, batch.lengths[:2]) == (2, [3, 5])
    assert batch.endpoints[:2] == [None, Endpoint("192.0.2.1", 1)]


def test_a_slot_of_several_datagrams_is_told_apart() -> None:
    batch = Batch(2, 64)
    batch.append(b"aaaabbbbcc")
    batch.append(b"one")

    batch.segment_sizes[0] = 4
    batch.segment_sizes[1] = 64

    assert batch.datagrams(0) == [b"aaaa", b"bbbb", b"cc"]
    assert batch.datagrams(1) == [b"one"]


def test_views_of_all_slots_are_made_once_and_follow_the_memory() -> None:
    batch = Batch(2, 64, headroom=16)
    views = batch.views(16, 3)

    batch.append(b"one")
    batch.append(b"two")

    assert views == (b"one", b"two")
    assert batch.views(16, 3) is views


@pytest.mark.parametrize("size", [49, 1000])
def test_what_does_not_fit_is_refused(size: int) -> None:
    batch = Batch(1, 64, headroom=16)

    with pytest.raises(ValueError, match="does not fit"):
        batch.append(bytes(size))
    batch.append(bytes(48))
    with pytest.raises(ValueError, match="does not fit"):
        batch.append(b"")

    batch.clear()
    batch.append(b"")
    assert batch.count == 1


@pytest.mark.parametrize(("capacity", "stride", "headroom"), [(0, 64, 0), (1, 16, 16), (1, 16, -1)])
def test_a_batch_without_room_is_refused(capacity: int, stride: int, headroom: int) -> None:
    with pytest.raises(ValueError, match="room"):
        Batch(capacity, stride, headroom)
