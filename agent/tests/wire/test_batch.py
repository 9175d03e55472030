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


def test_a_reframed_batch_shares_memory_and_nothing_else() -> None:
    packets = Batch(2, 64, headroom=16)
    datagrams = packets.reframed(0)
    packets.append(b"payload")

    datagrams.lengths[0] = 23

    assert bytes(datagrams.slot(0)) == bytes(16) + b"payload"
    assert (packets.lengths[0], datagrams.count) == (7, 0)


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


def test_a_buffer_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="fit"):
        Batch(2, 64, buffer=bytearray(64))
