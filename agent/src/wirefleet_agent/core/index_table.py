# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Receiver indices: the random u32 by which an incoming message finds its handshake or session (checklist 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .peer import Peer
    from .session import Session


class IndexTable:
    """Index -> the peer whose handshake waits under it, or the session that receives under it."""

    __slots__ = ("_entropy", "handshakes", "sessions")

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self.handshakes: dict[int, Peer] = {}
        self.sessions: dict[int, Session] = {}

    def allocate(self, peer: Peer) -> int:
        """A random free index, now the handshake's of ``peer``."""
        while True:
            index = int.from_bytes(self._entropy(4), "little")
            if index not in self.handshakes and index not in self.sessions:
                self.handshakes[index] = peer
                return index

    def promote(self, session: Session) -> None:
        """The index of a handshake becomes that of the session it made."""
        self.handshakes.pop(session.local_index, None)
        self.sessions[session.local_index] = session

    def release(self, index: int) -> None:
        """Forget an index; an unknown one is no error."""
        self.handshakes.pop(index, None)
        self.sessions.pop(index, None)

    def peer_of(self, index: int) -> Peer | None:
        """The peer behind an index, whatever it stands for."""
        session = self.sessions.get(index)
        if session is not None:
            return session.peer
        return self.handshakes.get(index)

    def __len__(self) -> int:
        return len(self.handshakes) + len(self.sessions)
