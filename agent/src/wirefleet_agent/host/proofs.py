# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Which peers have answered since something changed that could have cut them off.

Sessions outlive changes of keys, endpoints and sockets, for up to three minutes; so a young handshake proves nothing
if it is older than the change. A change of the endpoint asks for more: the handshake has to show the peer there.
A peer that roams back would hide the mistake until its session ends.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from ..config import HostPort
from ..config import changes as c
from ..control import Applied
from ..core import Peer
from ..keys import PublicKey
from ..wire.endpoint import Endpoint

_CONCERNS_ALL = (c.SetPrivateKey, c.SetListenPort, c.SetFwmark)
_CONCERNS_ONE = (c.AddPeer, c.SetPresharedKey, c.SetEndpoint)


@dataclass(frozen=True)
class _Doubt:
    """since: monotonic seconds. endpoint: where the peer has to answer; None anywhere, a name: nowhere yet."""

    since: float
    endpoint: Endpoint | HostPort | None = None


class Proofs:
    """What is open about the peers of one tunnel. Peers that no change concerned are never in doubt."""

    def __init__(self) -> None:
        self._doubts: dict[PublicKey, _Doubt] = {}

    def clear(self) -> None:
        """The tunnel is gone, and with it all sessions."""
        self._doubts.clear()

    def note(
        self, planned: Iterable[c.Change], applied: Applied, peers: Iterable[PublicKey], now: float
    ) -> set[PublicKey]:
        """Remember what the changes concern; returns these peers. peers: those that the tunnel has now.

        planned: all that was to be applied; an endpoint counts even if the peer had roamed there by itself.
        """
        present = set(peers)
        concerned = {change.public_key for change in applied.changes if isinstance(change, _CONCERNS_ONE)}
        if any(isinstance(change, _CONCERNS_ALL) for change in applied.changes):
            concerned = set(present)
        endpoints = {change.public_key: change.endpoint for change in planned if isinstance(change, c.SetEndpoint)}
        concerned = (concerned | endpoints.keys()) & present
        for key in concerned:
            before = self._doubts.get(key)
            self._doubts[key] = _Doubt(now, endpoints.get(key, before.endpoint if before else None))
        self._forget_all_but(present)
        return concerned

    def note_resolved(self, key: PublicKey, endpoint: Endpoint, now: float, *, is_new: bool) -> bool:
        """A name has an address. is_new: it is not where packets went so far. Returns whether that needs proof."""
        before = self._doubts.get(key)
        if before is not None and before.endpoint not in (None, endpoint):
            self._doubts[key] = _Doubt(before.since, endpoint)
            return True
        if is_new:
            self._doubts[key] = _Doubt(now, endpoint)
        return is_new

    def endpoint_to_prove(self, peer: Peer) -> Endpoint | None:
        """Where an unproven peer has to be called, if that matters."""
        doubt = self._doubts.get(peer.public_key)
        wanted = None if doubt is None else doubt.endpoint
        return wanted if isinstance(wanted, Endpoint) and not self.is_proven(peer) else None

    def is_proven(self, peer: Peer) -> bool:
        """Whether the peer has answered since the last change that concerned it; without one, ever."""
        if peer.last_handshake is None:
            return False
        doubt = self._doubts.get(peer.public_key)
        if doubt is None:
            return True
        # A response made before the change may be confirmed after it: the session's own age counts.
        session = peer.sessions.current
        began = peer.last_handshake if session is None else min(peer.last_handshake, session.created_at)
        if began <= doubt.since or doubt.endpoint not in (None, peer.handshake_endpoint):
            return False
        # Proven for good: from now on the peer may roam.
        del self._doubts[peer.public_key]
        return True

    def _forget_all_but(self, present: Container[PublicKey]) -> None:
        self._doubts = {key: doubt for key, doubt in self._doubts.items() if key in present}
