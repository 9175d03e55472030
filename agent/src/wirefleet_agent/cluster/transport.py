# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Messages between the hubs, in the place of PySyncObj's transport.

TCP on the overlay, bound to this hub's own overlay address. Of each pair the hub with the higher key calls. A frame is
a length (4 bytes, big-endian) and a Fernet token (AES-128-CBC and HMAC-SHA256) under the cluster's key; so nothing is
looked at, let alone unpickled, that was not made by who has the key. What the token holds::

    HELLO    b"H" || name of the sender || name of the receiver || nonce (16 bytes)        each side first
    MESSAGE  b"M" || nonce of the receiver || direction || sequence (8 bytes) || pickle     only after both HELLOs

Names are 32-byte public keys. The receiver's nonce and the sequence make a copy of an earlier message worthless, and
each name must belong to the source address. Connections from anywhere but a member's address are closed at once.

PySyncObj's own transport is not used because it reads frames of any length into memory before it authenticates, takes
connections of strangers, offers them commands (add, remove, set_version), does not notice a dead peer while it says
nothing, and has no place where the log could be put on the disk before its contents are acknowledged.

Two of PySyncObj's messages are put right on the way: ``next_node_idx`` carries its term, since an answer to what this
hub sent as the leader of an earlier term must not count; and a piece of a snapshot does not say what is committed,
since the receiver's log may be another one until the snapshot is whole.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Mapping
from functools import partial

from cryptography.fernet import InvalidToken
from pysyncobj.node import Node  # type: ignore[import-untyped]
from pysyncobj.poller import POLL_EVENT_TYPE  # type: ignore[import-untyped]
from pysyncobj.transport import Transport  # type: ignore[import-untyped]

from ..keys import PublicKey
from . import restricted_pickle
from .connection import NONCE_BYTES, Connection, Member, TransportSettings
from .journal import JournalDamaged
from .messages import checked_message
from .snapshot import MAX_BYTES as MAX_SNAPSHOT_BYTES

_MAX_UNKNOWN = 4  # from one address: a program on one hub must not keep the other hubs out
_HELLO_TIMEOUT_S = 3.0
_SILENCE_S = 3.5
_PING_S = 1.0
_RETRY_S = 0.5
_BIND_RETRY_S = 1.0
_READ_BYTES = 64 * 1024
_MAX_READS = 16  # per turn: a peer that never stops must not hold up the others
_MAX_UNSENT_BYTES = 16 * 1024 * 1024
_READ, _WRITE, _ERROR = POLL_EVENT_TYPE.READ, POLL_EVENT_TYPE.WRITE, POLL_EVENT_TYPE.ERROR


class MemberTransport(Transport):  # type: ignore[misc]  # PySyncObj has no types
    """See PySyncObj's Transport. Everything happens in ticks of ``owner``, a SyncObj, on its poller."""

    def __init__(self, settings: TransportSettings, owner: object, own: Node, others: set[Node]) -> None:
        super().__init__(owner, own, others)
        self._settings = settings
        self._owner = owner
        self._poller = owner._poller  # type: ignore[attr-defined]
        self._members: Mapping[str, Member] = {member.name: member for member in settings.others}
        self._nodes = {node.id: node for node in others}
        self._connections: dict[str, Connection] = {}
        self._unknown: set[Connection] = set()
        self._called: dict[str, float] = {}
        self._listener: socket.socket | None = None
        self._bound_at = float("-inf")
        self._is_destroyed = False
        owner.addOnTickCallback(self._on_tick)  # type: ignore[attr-defined]

    @property
    def is_listening(self) -> bool:
        return self._listener is not None

    def send(self, node: Node, message: dict[str, object]) -> bool:
        """Whether it is on its way. Everything that the log holds is on the disk before. Raises OSError of the disk."""
        self._settings.sync()
        connection = self._connections.get(node.id)
        if connection is None or not connection.is_ready:
            return False
        if message.get("type") == "next_node_idx":
            message = message | {"term": self._owner.raftCurrentTerm}  # type: ignore[attr-defined]
        elif "serialized" in message:
            message = message | {"commit_index": 0}
        self._send_message(connection, message)
        return self._connections.get(node.id) is connection

    def dropNode(self, node: Node) -> None:
        connection = self._connections.get(node.id)
        if connection is not None:
            self._close(connection)

    def destroy(self) -> None:
        """Idempotent."""
        self._is_destroyed = True
        for connection in (*self._connections.values(), *self._unknown):
            self._close(connection)
        if self._listener is not None:
            self._poller.unsubscribe(self._listener.fileno())
            self._listener.close()
            self._listener = None

    # Each tick

    def _on_tick(self) -> None:
        now = time.monotonic()
        if self._is_destroyed:
            return
        if self._listener is None and now - self._bound_at >= _BIND_RETRY_S:
            self._bound_at = now
            self._listen()
        for connection in (*self._connections.values(), *self._unknown):
            limit_s = _SILENCE_S if connection.is_ready else _HELLO_TIMEOUT_S
            if now - (connection.heard if connection.is_ready else connection.began) > limit_s:
                self._close(connection)
            elif connection.is_ready and now - connection.pinged >= _PING_S:
                connection.pinged = now
                self._send_message(connection, {"type": "ping"})
        for name, member in self._members.items():
            is_due = now - self._called.get(name, float("-inf")) >= _RETRY_S
            if is_due and name not in self._connections and self._settings.own.key.raw > member.key.raw:
                self._called[name] = now
                self._call(member, now)

    def _listen(self) -> None:
        """The overlay address appears with the tunnel, and comes back with it: tried again until it works."""
        own = self._settings.own
        listener = socket.socket(_family(own.address), socket.SOCK_STREAM)
        try:
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setblocking(False)
            listener.bind((own.address, own.port))
            listener.listen(16)
        except OSError:
            listener.close()
            return
        self._listener = listener
        self._poller.subscribe(listener.fileno(), self._accept, _READ | _ERROR)

    def _call(self, member: Member, now: float) -> None:
        sock = socket.socket(_family(member.address), socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.bind((self._settings.own.address, 0))
            with contextlib.suppress(BlockingIOError):
                sock.connect((member.address, member.port))
        except OSError:
            sock.close()
            return
        connection = Connection(sock, member, now, is_caller=True, source=member.address)
        self._connections[member.name] = connection
        self._subscribe(connection)

    # Events of the poller; one may be of a connection that is closed by now

    def _accept(self, _fileno: int, _events: int) -> None:
        while self._listener is not None:
            try:
                sock, source = self._listener.accept()
            except OSError:
                return
            known = {member.address for member in self._members.values()}
            waiting = sum(connection.source == source[0] for connection in self._unknown)
            if source[0] not in known or waiting >= _MAX_UNKNOWN:
                self._settings.counters.strangers += 1
                sock.close()
                continue
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock, None, time.monotonic(), is_caller=False, source=source[0])
            self._unknown.add(connection)
            self._subscribe(connection)

    def _event(self, connection: Connection, fileno: int, events: int) -> None:
        if connection.fileno != fileno or not self._is_open(connection):
            return
        if connection.is_connecting and events & (_WRITE | _ERROR):
            if connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._close(connection)
                return
            connection.is_connecting = False
            self._send_hello(connection, connection.member)
        if events & _READ:
            self._read(connection)
        elif events & _ERROR:
            self._close(connection)
        if events & _WRITE and self._is_open(connection):
            self._flush(connection)

    def _read(self, connection: Connection) -> None:
        for _ in range(_MAX_READS):
            try:
                found = connection.socket.recv(_READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                found = b""
            if not found:
                self._close(connection)
                return
            connection.unread += found
            while self._is_open(connection) and (token := self._next_frame(connection)) is not None:
                self._take(connection, token)
            if not self._is_open(connection):
                return

    def _next_frame(self, connection: Connection) -> bytes | None:
        unread = connection.unread
        if len(unread) < 4:
            return None
        length = int.from_bytes(unread[:4], "big")
        if length > connection.frame_limit:
            self._settings.counters.malformed += 1
            self._close(connection)
            return None
        if len(unread) < 4 + length:
            return None
        token = bytes(unread[4 : 4 + length])
        del unread[: 4 + length]
        return token

    def _take(self, connection: Connection, token: bytes) -> None:
        try:
            body = self._settings.fernet.decrypt(token)
        except InvalidToken:
            self._settings.counters.not_authentic += 1
            self._close(connection)
            return
        connection.heard = time.monotonic()
        if connection.is_ready and body[:1] == b"M":
            self._take_message(connection, body)
        elif not connection.is_ready and body[:1] == b"H":
            self._take_hello(connection, body)
        else:
            self._malformed(connection)

    # The two kinds of bodies

    def _send_hello(self, connection: Connection, to: Member | None) -> None:
        assert to is not None
        own = self._settings.own
        self._send_body(connection, b"H" + own.key.raw + to.key.raw + connection.nonce)

    def _take_hello(self, connection: Connection, body: bytes) -> None:
        """The other side has the key, and has this address: it is who it says."""
        if len(body) != 1 + 32 + 32 + NONCE_BYTES or body[33:65] != self._settings.own.key.raw:
            self._malformed(connection)
            return
        member = self._members.get(str(PublicKey(body[1:33])))
        is_right_side = member is not None and connection.is_caller == (self._settings.own.key.raw > member.key.raw)
        if (
            member is None
            or connection.source != member.address
            or not is_right_side
            or connection.member not in (None, member)
        ):
            self._malformed(connection)
            return
        connection.peer_nonce = body[65:]
        if not connection.is_caller:
            self._unknown.discard(connection)
            earlier = self._connections.get(member.name)
            if earlier is not None:
                self._close(earlier)  # it called again: what we have is the connection of a process that is gone
            connection.member = member
            self._connections[member.name] = connection
            self._send_hello(connection, member)
            if not self._is_open(connection):
                return
        connection.is_ready = True
        self._onNodeConnected(self._nodes[member.name])

    def _send_message(self, connection: Connection, message: dict[str, object]) -> None:
        assert connection.peer_nonce is not None
        header = b"M" + connection.peer_nonce + _direction(is_from_caller=connection.is_caller)
        connection.sent += 1
        self._send_body(connection, header + struct.pack(">Q", connection.sent) + restricted_pickle.dumps(message))

    def _take_message(self, connection: Connection, body: bytes) -> None:
        header = b"M" + connection.nonce + _direction(is_from_caller=not connection.is_caller)
        if not body.startswith(header + struct.pack(">Q", connection.received + 1)):
            self._malformed(connection)
            return
        connection.received += 1
        try:
            message = checked_message(restricted_pickle.loads(body[len(header) + 8 :]))
        except restricted_pickle.UnpicklingRefused:
            self._settings.counters.refused_pickles += 1
            self._close(connection)
            return
        if message is None:
            self._malformed(connection)
            return
        assert connection.member is not None
        is_late = message["type"] == "next_node_idx" and message["term"] != self._owner.raftCurrentTerm  # type: ignore[attr-defined]
        if message.get("serialized") is not None:
            self._take_snapshot(connection, message)
        elif message["type"] != "ping" and not is_late:
            self._onMessageReceived(self._nodes[connection.member.name], message)

    def _take_snapshot(self, connection: Connection, message: dict[str, object]) -> None:
        """PySyncObj overwrites its own file with each piece, and throws its log away with the last one: it gets only
        what is whole, valid, and newer than the log. Else entries that this hub has acknowledged would be lost."""
        found = message["serialized"]
        assert isinstance(found, tuple), "checked_message has looked"
        piece, is_first, is_last = found
        if is_first:
            connection.snapshot = bytearray()
        if connection.snapshot is None or len(connection.snapshot) + len(piece) > MAX_SNAPSHOT_BYTES:
            self._malformed(connection)
            return
        connection.snapshot += piece
        if not is_last:
            return
        whole, connection.snapshot = bytes(connection.snapshot), None
        try:
            index = self._settings.superfluous(whole)
        except JournalDamaged:
            self._malformed(connection)
            return
        assert connection.member is not None
        node = self._nodes[connection.member.name]
        if index is None:
            self._onMessageReceived(node, message | {"serialized": (whole, True, False)})
            self._onMessageReceived(node, message | {"serialized": (b"", False, True)})
        elif message["term"] == self._owner.raftCurrentTerm:  # type: ignore[attr-defined]
            answer = {"type": "next_node_idx", "next_node_idx": index + 1, "reset": False, "success": True}
            self.send(node, answer)

    # Sockets

    def _send_body(self, connection: Connection, body: bytes) -> None:
        token = self._settings.fernet.encrypt(body)
        connection.unsent += len(token).to_bytes(4, "big") + token
        if len(connection.unsent) > _MAX_UNSENT_BYTES:
            self._close(connection)
        else:
            self._flush(connection)

    def _flush(self, connection: Connection) -> None:
        try:
            while connection.unsent and not connection.is_connecting:
                del connection.unsent[: connection.socket.send(connection.unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._close(connection)
            return
        self._subscribe(connection)

    def _subscribe(self, connection: Connection) -> None:
        events = _READ | _ERROR | (_WRITE if connection.unsent or connection.is_connecting else 0)
        self._poller.subscribe(connection.fileno, partial(self._event, connection), events)

    def _malformed(self, connection: Connection) -> None:
        self._settings.counters.malformed += 1
        self._close(connection)

    def _is_open(self, connection: Connection) -> bool:
        return connection.fileno >= 0

    def _close(self, connection: Connection) -> None:
        """Idempotent."""
        if connection.fileno < 0:
            return
        self._poller.unsubscribe(connection.fileno)
        connection.socket.close()
        connection.fileno = -1
        self._unknown.discard(connection)
        member, was_ready, connection.is_ready = connection.member, connection.is_ready, False
        if member is not None and self._connections.get(member.name) is connection:
            del self._connections[member.name]
            if was_ready:
                self._onNodeDisconnected(self._nodes[member.name])


def _direction(*, is_from_caller: bool) -> bytes:
    """What one side sent must not pass for what the other did."""
    return b">" if is_from_caller else b"<"


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
