# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from support.cluster_site import Site
from support.hubs import QUICK, wait_for
from wirefleet_agent.host import cluster_service
from wirefleet_agent.observe import Logs


@pytest.fixture
def site(tmp_path, monkeypatch) -> Iterator[Site]:
    monkeypatch.setattr(cluster_service, "TIMING", QUICK)
    Logs().configure(level="silent")
    site = Site(tmp_path)
    yield site
    site.stop()
    structlog.reset_defaults()


@pytest.fixture
def together(site) -> Site:
    site.start()
    for hub in site.hubs:
        site.apply(hub)
    wait_for(site.is_writable)
    return site
