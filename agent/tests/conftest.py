# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Fixtures that several floors' tests share, and which files say nothing on this platform.

Single tests of the other platform bear the markers ``linux_only`` and ``windows_only``.
"""

from __future__ import annotations

import logging
import os
import sys
import zlib
from collections.abc import Iterator

import pytest
import structlog
import wirefleet_agent.cluster  # noqa: F401  # before any test imports PySyncObj: see its _tamed_imports
from support.net import Network

if sys.platform == "win32":
    collect_ignore = [
        "bench",  # measures from a Linux host
        "bundle",  # bundles are built on Linux controllers; the rehearsal installs them
        "drivers/test_linux_drivers.py",
        "drivers/test_quiet_interface.py",
        "engine/test_uapi_server.py",  # over Unix sockets; test_uapi_pipe.py has the same answers over pipes
        "host/test_tun_command.py",  # wg-quick's helper
        "interop",  # namespaces, wireguard-go, wg
    ]
else:
    collect_ignore = ["drivers/test_iphelper_under_wine.py"]


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
