# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
import structlog
from support.terminal import Terminal
from wirefleet_agent.observe import Logs


@pytest.fixture
def agent(tmp_path, monkeypatch, capsys):
    Logs().configure(level="silent")
    yield Terminal(tmp_path, monkeypatch, capsys)
    structlog.reset_defaults()
