# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Which datagrams of a batch may leave in one call, for the stack to cut (UDP segmentation offload)."""

from __future__ import annotations

from typing import Final

from ..wire.batch import Batch

MAX_DATAGRAMS: Final = 64  # UDP_MAX_SEGMENTS of Linux before 6.10


def run_length(batch: Batch, first: int, max_bytes: int) -> int:
    """How many datagrams from slot ``first`` on may leave as one: same way, same size, the last may be shorter."""
    endpoints, locals_, lengths = batch.endpoints, batch.locals, batch.lengths
    endpoint, local, size = endpoints[first], locals_[first], lengths[first]
    most = min(batch.count, first + MAX_DATAGRAMS, first + max_bytes // max(size, 1))
    end = first + 1
    while (
        end < most
        and lengths[end] == size
        and (endpoints[end] is endpoint or endpoints[end] == endpoint)
        and locals_[end] == local
    ):
        end += 1
    if end < most and 0 < lengths[end] < size and endpoints[end] == endpoint and locals_[end] == local:
        end += 1
    return end - first
