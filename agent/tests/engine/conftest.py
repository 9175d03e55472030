# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Fixtures of the engine's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.tunnels import ManualClock, TunnelPair
from wirefleet_agent.engine import Loop


@pytest.fixture
def pair() -> Iterator[TunnelPair]:
    made = TunnelPair()
    yield made
    made.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def loop(clock: ManualClock) -> Iterator[Loop]:
    made = Loop(clock)
    yield made
    made.close()
