# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Fixtures that several floors' tests share."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator

import pytest
from support.net import Network


@pytest.fixture
def net(request: pytest.FixtureRequest) -> Iterator[Network]:
    """A seeded in-memory network; pytest shows its chart when the test fails."""
    seed = int(os.environ.get("WIREFLEET_TEST_SEED") or zlib.crc32(request.node.nodeid.encode()))
    network = Network(seed)
    yield network
    print(network.chart())
