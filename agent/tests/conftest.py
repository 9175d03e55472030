# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Fixtures that several floors' tests share."""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Iterator

import pytest
import structlog
from support.net import Network


@pytest.fixture
def net(request: pytest.FixtureRequest) -> Iterator[Network]:
    """A seeded in-memory network; pytest shows its chart when the test fails."""
    seed = int(os.environ.get("WIREFLEET_TEST_SEED") or zlib.crc32(request.node.nodeid.encode()))
    network = Network(seed)
    yield network
    print(network.chart())


@pytest.fixture(autouse=True)
def logging_ends_with_the_test() -> Iterator[None]:
    """What a test configures would write to its captured streams, which are closed when the next one logs."""
    before = logging.getLogger().handlers[:]
    yield
    root = logging.getLogger()
    for handler in [
        each for each in root.handlers if each not in before and type(each).__module__.startswith("wirefleet_agent")
    ]:
        root.removeHandler(handler)
    structlog.reset_defaults()
