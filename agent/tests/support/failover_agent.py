# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The real service as a process, whose HubState is what a file says: no cluster is needed to drain a hub.

    python failover_agent.py ROOT TUNNEL STATE_FILE

STATE_FILE: ``{"draining": true}``; without it, nothing is wished. Read at most ten times per second.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from dishka import Provider, provide
from wirefleet_agent.engine.ha_settings import HubState
from wirefleet_agent.host.log_setup import configured_logs
from wirefleet_agent.host.paths import Paths, TunnelPaths
from wirefleet_agent.host.platform_wiring import HostScope
from wirefleet_agent.host.wiring import build_container, this_platform
from wirefleet_agent.keys import PublicKey
from wirefleet_agent.observe import Logs

_READ_EVERY_S = 0.1


class FileHubState:
    """See HubState."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at = 0.0
        self._said: dict[str, object] = {}

    @property
    def draining(self) -> bool:
        now = time.monotonic()
        if now - self._read_at >= _READ_EVERY_S:
            self._read_at = now
            self._said = json.loads(self._path.read_text()) if self._path.exists() else {}
        return bool(self._said.get("draining"))

    @property
    def epoch(self) -> int:
        return 1

    def override_of(self, key: PublicKey) -> PublicKey | None:
        return None


class StateFromFile(Provider):
    scope = HostScope.DAEMON

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    @provide
    def state(self) -> HubState:
        return FileHubState(self._path)


def main() -> None:
    root, tunnel, path = sys.argv[1:]
    context = {TunnelPaths: Paths(Path(root)).tunnel(tunnel), Logs: configured_logs(None)}
    container = build_container(StateFromFile(Path(path)), context=context)
    try:
        container.get(this_platform().process).run()
    finally:
        container.close()


if __name__ == "__main__":
    main()
