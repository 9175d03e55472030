# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What tests expect to be raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from wirefleet_agent.drops import DropReason
from wirefleet_agent.errors import PacketDropped


@contextmanager
def dropped(reason: DropReason) -> Iterator[None]:
    """The body drops a packet for exactly this reason."""
    with pytest.raises(PacketDropped) as caught:
        yield
    assert caught.value.reason is reason
