# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays the recovery of Windows' service control manager, which Wine's lacks, for services that the stand-ins know."""

from __future__ import annotations

import threading
import time
from typing import Any

from wirefleet_wsman.inside.client import Event, Inside, InsideError
from wirefleet_wsman.recovery import Recovery, decide, is_failure
from wirefleet_wsman.state import NotShown, StateStore, Trace

FAMILY = "services"


class Supervisor:
    """Restarts services as their failure actions say."""

    def __init__(self, inside: Inside, state: StateStore, trace: Trace, not_shown: NotShown) -> None:
        self._inside = inside
        self._state = state
        self._trace = trace
        self._not_shown = not_shown
        self._lock = threading.Lock()
        self._failures: dict[str, list[float]] = {}
        self._timers: dict[str, threading.Timer] = {}
        inside.on_event = self._on_event
        inside.on_start = self.watch_all

    def watch_all(self) -> None:
        """Watch every service that was ever made through a stand-in."""
        for service in self._state.read(FAMILY).values():
            try:
                self._inside.call("service_watch", name=service["name"])
            except InsideError as error:
                self._trace.write(supervisor="cannot watch", service=service["name"], error=str(error))

    def cancel(self, name: str) -> None:
        """Somebody starts, stops or deletes the service on purpose: no recovery that was due any more."""
        with self._lock:
            timer = self._timers.pop(name.casefold(), None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Stop looking after services."""
        self._inside.on_event = lambda _event: None
        self._inside.on_start = lambda: None
        with self._lock:
            timers = list(self._timers.values())
            self._timers.clear()
        for timer in timers:
            timer.cancel()

    def _on_event(self, event: Event) -> None:
        name = str(event["name"])
        service = self._state.read(FAMILY).get(name.casefold())
        if service is None:
            return
        failed = is_failure(
            service, said_stopped=bool(event["said_stopped"]), win32_exit_code=int(event["win32_exit_code"])
        )
        recovery = self._count(name, service) if failed else None
        self._trace.write(
            supervisor="service ended",
            service=name,
            failed=failed,
            exit_code=event["exit_code"],
            recovery=recovery.action if recovery else "none",
            delay_s=recovery.delay_s if recovery else None,
        )
        if recovery is not None:
            self._schedule(name, recovery)

    def _count(self, name: str, service: dict[str, Any]) -> Recovery | None:
        now = time.monotonic()
        with self._lock:
            failures = self._failures.setdefault(name.casefold(), [])
            recovery = decide(service, failures, now)
            failures.append(now)
        return recovery

    def _schedule(self, name: str, recovery: Recovery) -> None:
        if recovery.action != "restart":
            self._not_shown.add("service recovery", f"{name}: action {recovery.action} was due")
            return
        timer = threading.Timer(recovery.delay_s, self._restart, [name])
        timer.daemon = True
        with self._lock:
            self._timers[name.casefold()] = timer
        timer.start()

    def _restart(self, name: str) -> None:
        with self._lock:
            self._timers.pop(name.casefold(), None)
        try:
            if self._inside.call("service_query", name=name).get("state") != "stopped":
                return
            self._inside.call("service_start", name=name)
            self._trace.write(supervisor="service restarted", service=name)
        except InsideError as error:
            self._trace.write(supervisor="restart failed", service=name, error=str(error))
