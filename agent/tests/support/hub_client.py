# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Talks to a hub's cluster port as another hub would, over TCP, with or without the key: for hostile messages."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time

from cryptography.fernet import Fernet
from support.hubs import KEY, wait_for
from wirefleet_agent.cluster import restricted_pickle
from wirefleet_agent.cluster.connection import Member, fernet_of
from wirefleet_agent.keys import ClusterKey


class HubClient:
    """own: the member it plays; its key is higher than the other's, so it is the one that calls."""

    def __init__(self, own: Member, hub: Member, key: ClusterKey = KEY, *, source: str | None = None) -> None:
        self._own, self._hub = own, hub
        self._fernet: Fernet = fernet_of(key.reveal_bytes())
        self.nonce = os.urandom(16)
        self.hub_nonce = b""
        self.sequence = 0
        self._unread = b""
        self.socket = wait_for(lambda: self._connected(source or own.address), 5)

    def _connected(self, source: str) -> socket.socket | None:
        with contextlib.suppress(OSError):
            return socket.create_connection((self._hub.address, self._hub.port), 2.0, (source, 0))
        return None

    def hello(self) -> None:
        """Both HELLOs: from now on ``message`` is what a hub listens to."""
        self.send_body(b"H" + self._own.key.raw + self._hub.key.raw + self.nonce)
        answer = self.receive_body()
        assert answer is not None
        assert answer[:65] == b"H" + self._hub.key.raw + self._own.key.raw
        self.hub_nonce = answer[65:]

    def message(self, pickled: bytes) -> None:
        self.sequence += 1
        self.send_body(b"M" + self.hub_nonce + b">" + struct.pack(">Q", self.sequence) + pickled)

    def say(self, **message: object) -> None:
        self.message(restricted_pickle.dumps(message))

    def send_body(self, body: bytes) -> bytes:
        """The frame that was sent."""
        frame = self.framed(self._fernet.encrypt(body))
        self.send_raw(frame)
        return frame

    @staticmethod
    def framed(token: bytes) -> bytes:
        return struct.pack(">I", len(token)) + token

    def send_raw(self, raw: bytes) -> None:
        with contextlib.suppress(OSError):  # the hub may have closed it by now
            self.socket.sendall(raw)

    def receive_body(self, timeout_s: float = 5.0) -> bytes | None:
        """What one frame holds; None once the hub has closed the connection."""
        limit = time.monotonic() + timeout_s
        while True:
            if len(self._unread) >= 4:
                length = struct.unpack(">I", self._unread[:4])[0]
                if len(self._unread) >= 4 + length:
                    token, self._unread = self._unread[4 : 4 + length], self._unread[4 + length :]
                    return self._fernet.decrypt(token)
            self.socket.settimeout(max(0.01, limit - time.monotonic()))
            try:
                found = self.socket.recv(65536)
            except ConnectionError:
                return None
            if not found:
                return None
            self._unread += found

    def receive_message(self, *kinds: str) -> dict[str, object]:
        """The next message of one of these kinds."""
        while True:
            body = self.receive_body()
            assert body is not None, "the hub has closed the connection"
            message = restricted_pickle.loads(body[26:])
            assert isinstance(message, dict)
            if message["type"] in kinds:
                return message

    def is_closed_by_hub(self, timeout_s: float = 5.0) -> bool:
        try:
            while self.receive_body(timeout_s) is not None:
                pass
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self.socket.close()
