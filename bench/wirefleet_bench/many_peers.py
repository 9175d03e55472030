# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays many peers of one hub from one socket: handshake after handshake, each with the next peer.

The handshakes are the agent's own (``wirefleet_agent.core``), so an answer counts only if it is valid; each is
confirmed with an empty packet, as an initiator does, and forgotten. Peers take turns, so the same one comes again only
after all others have: a hub drops a second initiation within 20 ms. The number that is in flight is bounded below what
makes a hub ask for cookies; those that it sends all the same are counted.

As a program: one line of JSON on stdin is the configuration, each further line a phase
``{"seconds", "rate_per_s"}`` (0: as fast as answers come); each is answered by one line on stdout. It ends with its
input.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from wirefleet_agent.core import stamp_of
from wirefleet_agent.core.cookies import CookieGenerator
from wirefleet_agent.core.handshake import Handshake
from wirefleet_agent.crypto import Aead, StaticIdentity
from wirefleet_agent.errors import PacketDropped
from wirefleet_agent.keys import PrivateKey, PublicKey
from wirefleet_agent.wire import Response, pack_nonce, pack_transport_header

UNANSWERED_AFTER_S = 1.0
_RESPONSE = 2
_COOKIE_REPLY = 3
_DATAGRAM_BYTES = 2048
_BUFFER_BYTES = 1 << 20


def identity_of(seed: bytes, number: int) -> StaticIdentity:
    """The key pair of one peer; hub and load generator derive the same from the same seed."""
    return StaticIdentity(PrivateKey(hashlib.blake2s(seed + number.to_bytes(4, "big")).digest()))


class Player:
    """One peer: its keys and its running handshake."""

    __slots__ = ("_cookies", "_handshake", "_identity")

    def __init__(self, identity: StaticIdentity, hub: PublicKey) -> None:
        self._identity = identity
        self._handshake = Handshake(hub)
        self._handshake.set_identity(identity)
        self._cookies = CookieGenerator(hub)

    def initiation(self, index: int, now: float, stamp: bytes) -> bytes:
        """The 148 bytes. stamp: TAI64N; the handshake sees to it that it grows from one to the next."""
        ephemeral = PrivateKey(os.urandom(32))
        message = self._handshake.create_initiation(self._identity, ephemeral, index, stamp).build()
        self._cookies.add_macs(message, now)
        return bytes(message)

    def confirmation(self, response: Response) -> bytes:
        """The empty transport message that completes the handshake. Raises PacketDropped for an invalid response."""
        self._handshake.consume_response(response, self._identity)
        keys = self._handshake.begin_session()
        return pack_transport_header(keys.remote_index, 0) + Aead(keys.send_key).encrypt(pack_nonce(0), b"", None)


@dataclass
class Tally:
    """What happened in one phase of ``seconds``, which took so much processor time here."""

    initiations: int = 0
    answered: int = 0
    unanswered: int = 0
    cookie_replies: int = 0
    invalid: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0


class Crowd:
    """All peers of one hub, without a socket: datagrams in, datagrams out."""

    def __init__(self, players: list[Player], window: int, tai64n_now: Callable[[], bytes]) -> None:
        self._players = players
        self._window = window
        self._tai64n_now = tai64n_now
        self._index = 0
        # Index of the initiation -> whose it is and since when; oldest first.
        self._waiting: dict[int, tuple[Player, float]] = {}
        self.tally = Tally()

    @property
    def can_initiate(self) -> bool:
        return len(self._waiting) < min(self._window, len(self._players))

    def initiate(self, now: float) -> bytes:
        """The initiation of the peer whose turn it is."""
        player = self._players[self._index % len(self._players)]
        self._index = (self._index + 1) & 0xFFFFFFFF
        self._waiting[self._index] = (player, now)
        self.tally.initiations += 1
        return player.initiation(self._index, now, self._tai64n_now())

    def receive(self, datagram: bytes) -> bytes | None:
        """What to answer: the confirmation of a valid response, else nothing."""
        if datagram[:1] == bytes([_COOKIE_REPLY]):
            self.tally.cookie_replies += 1
        if datagram[:1] != bytes([_RESPONSE]):
            return None
        try:
            response = Response.parse(datagram)
            player, _ = self._waiting.pop(response.receiver_index)
            confirmation = player.confirmation(response)
        except (KeyError, PacketDropped):
            self.tally.invalid += 1
            return None
        self.tally.answered += 1
        return confirmation

    def give_up(self, now: float) -> None:
        """Those that have waited for a second are not answered any more."""
        while self._waiting:
            index, (_, since) = next(iter(self._waiting.items()))
            if now - since < UNANSWERED_AFTER_S:
                return
            del self._waiting[index]
            self.tally.unanswered += 1

    def forget_waiting(self) -> None:
        """At the end of a phase: what is in flight counts neither way."""
        self._waiting.clear()


def play(crowd: Crowd, udp: socket.socket, seconds: float, rate_per_s: float) -> Tally:
    """One phase. rate_per_s: at most so many initiations per second, evenly; 0: as many as the window lets through."""
    crowd.tally = Tally()
    poller = select.poll()
    poller.register(udp, select.POLLIN)
    began, worked_s = time.monotonic(), time.process_time()
    now = began
    while now < began + seconds:
        allowed = int((now - began) * rate_per_s) + 1 if rate_per_s else sys.maxsize
        while crowd.can_initiate and crowd.tally.initiations < allowed:
            udp.send(crowd.initiate(now))
            if poller.poll(0):  # answer before asking more: the hub's buffer is not ours to fill
                break
        has_room = crowd.can_initiate and not rate_per_s
        poller.poll(0 if has_room else 1)
        _receive_all(crowd, udp)
        now = time.monotonic()
        crowd.give_up(now)
    crowd.tally.seconds = now - began
    crowd.tally.cpu_s = time.process_time() - worked_s
    crowd.forget_waiting()
    return crowd.tally


def _receive_all(crowd: Crowd, udp: socket.socket) -> None:
    while True:
        try:
            datagram = udp.recv(_DATAGRAM_BYTES)
        except BlockingIOError:
            return
        confirmation = crowd.receive(datagram)
        if confirmation is not None:
            udp.send(confirmation)


def _tai64n_now() -> bytes:
    return stamp_of(*divmod(time.time_ns(), 1_000_000_000))


def _answer(document: dict[str, Any]) -> None:
    print(json.dumps(document), flush=True)


def main() -> int:
    """The program."""
    configuration = json.loads(sys.stdin.readline())
    hub = PublicKey.from_base64(configuration["hub_key"])
    seed = bytes.fromhex(configuration["seed"])
    players = [Player(identity_of(seed, number), hub) for number in range(configuration["peers"])]
    crowd = Crowd(players, configuration["window"], _tai64n_now)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    udp.connect((configuration["hub_address"], configuration["hub_port"]))
    udp.setblocking(False)
    _answer({"peers": len(players)})
    for line in sys.stdin:
        phase = json.loads(line)
        _answer(asdict(play(crowd, udp, phase["seconds"], phase["rate_per_s"])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
