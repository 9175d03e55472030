# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""DNS names of endpoints, resolved in one worker thread so that the loop never waits for a name server.

A name that cannot be resolved is asked for again, after 1 s, 2 s, 4 s ... up to a minute. A name that was resolved is
asked for again only on request: an endpoint roams with its peer.
"""

from __future__ import annotations

import ipaddress
import queue
import random
import socket
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import structlog

from ..config import HostPort
from ..keys import PublicKey
from ..wire.endpoint import Endpoint
from .loop import Handle, Loop

Lookup = Callable[[HostPort], Endpoint]
Resolved = Callable[[PublicKey, Endpoint], None]

_FIRST_DELAY_S = 1.0
_MAX_DELAY_S = 60.0
_JITTER = 0.2

_log = structlog.get_logger(room="engine")


def system_lookup(name: HostPort) -> Endpoint:
    """The first address that the system's resolver prefers (RFC 6724). Blocks. Raises OSError."""
    _, _, _, _, address = socket.getaddrinfo(name.host, name.port, type=socket.SOCK_DGRAM)[0]
    host = str(address[0]).partition("%")[0]
    scope_id = int(address[3]) if len(address) == 4 else 0
    return Endpoint(str(ipaddress.ip_address(host)), name.port, scope_id)


@dataclass
class _Watched:
    name: HostPort
    on_resolved: Resolved
    failures: int = 0
    timer: Handle | None = None
    # Answers to questions of an earlier life are ignored.
    question: int = field(default=0)


class Resolver:
    """Callbacks come from the loop. The worker starts with the first name."""

    def __init__(self, loop: Loop, *, lookup: Lookup = system_lookup) -> None:
        self._loop = loop
        self._lookup = lookup
        self._watched: dict[PublicKey, _Watched] = {}
        self._questions: queue.SimpleQueue[tuple[PublicKey, int, HostPort] | None] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None
        self._last_question = 0

    def watch(self, names: Mapping[PublicKey, HostPort], again: Collection[PublicKey], on_resolved: Resolved) -> None:
        """Watch exactly ``names``. New ones, changed ones and those in ``again`` are resolved now."""
        for public_key in set(self._watched) - names.keys():
            self._forget(public_key)
        for public_key, name in names.items():
            before = self._watched.get(public_key)
            if before is not None and before.name == name and public_key not in again:
                before.on_resolved = on_resolved
                continue
            self._forget(public_key)
            self._watched[public_key] = _Watched(name, on_resolved)
            self._ask(public_key)

    def resolve_again(self, public_key: PublicKey) -> None:
        """The peer does not answer: perhaps its name has another address now. Unknown peers are ignored."""
        watched = self._watched.get(public_key)
        if watched is not None and watched.timer is None:
            self._ask(public_key)

    def clear(self) -> None:
        """Forget all names; no callback comes any more."""
        for public_key in list(self._watched):
            self._forget(public_key)

    def close(self) -> None:
        """End the worker after its present question. Idempotent."""
        self.clear()
        if self._worker is not None:
            self._questions.put(None)
            self._worker = None

    def _forget(self, public_key: PublicKey) -> None:
        watched = self._watched.pop(public_key, None)
        if watched is not None and watched.timer is not None:
            watched.timer.cancel()

    def _ask(self, public_key: PublicKey) -> None:
        watched = self._watched[public_key]
        watched.timer = None
        self._last_question += 1
        watched.question = self._last_question
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="resolver", daemon=True)
            self._worker.start()
        self._questions.put((public_key, watched.question, watched.name))

    def _work(self) -> None:
        while (question := self._questions.get()) is not None:
            public_key, number, name = question
            answer: Endpoint | str
            try:
                answer = self._lookup(name)
            except (OSError, ValueError, UnicodeError) as error:
                answer = str(error)
            self._loop.call_soon_threadsafe(
                lambda key=public_key, number=number, answer=answer: self._answered(key, number, answer)  # type: ignore[misc]
            )

    def _answered(self, public_key: PublicKey, question: int, answer: Endpoint | str) -> None:
        watched = self._watched.get(public_key)
        if watched is None or watched.question != question:
            return
        if isinstance(answer, Endpoint):
            watched.failures = 0
            watched.on_resolved(public_key, answer)
            return
        delay_s = min(_MAX_DELAY_S, _FIRST_DELAY_S * 2.0**watched.failures)
        delay_s *= 1 + random.uniform(-_JITTER, _JITTER)  # noqa: S311  # spreads load, keeps no secret
        watched.failures = min(watched.failures + 1, 16)
        watched.timer = self._loop.call_at(self._loop.now() + delay_s, lambda: self._ask(public_key))
        _log.warning("endpoint_not_resolved", peer=str(public_key), name=str(watched.name), error=answer)
