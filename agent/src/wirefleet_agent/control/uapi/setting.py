# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The lines of a set -> the changes that wireguard-go would end up with (checklist 41, 42, 44).

A set describes the device first, then peers, each from its ``public_key`` line on. Later lines win. A peer that is the
device itself, or that ``update_only`` keeps from being made, is a *phantom*: its lines are checked and go nowhere.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping

from ...config import Prefix, ValueProblem, parse_prefix
from ...config import changes as c
from ...core import Device
from ...keys import PresharedKey, PrivateKey, PublicKey
from ...wire import Endpoint
from ..checks import PeersAfter
from .errors import Errno, UapiError


def parse_set(lines: bytes | Iterable[str], device: Device) -> tuple[c.Change, ...]:
    """Check a whole set against ``device`` and say what it would change; the device is only looked at.

    lines: a request's body, or its lines without newlines; the first empty line ends it. Raises UapiError: PROTOCOL for
    a line that is no ``key=value``, INVALID for all else.
    """
    parser = _SetParser(device)
    for line in _split(lines) if isinstance(lines, bytes) else lines:
        if not line:
            break
        parser.take(line)
    return parser.finish()


def _split(body: bytes) -> list[str]:
    try:
        return body.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise UapiError("not ASCII") from None


class _SetParser:
    def __init__(self, device: Device) -> None:
        self._peers = PeersAfter(device)
        self._changes: list[c.Change] = []
        self._peer: PublicKey | None = None
        self._is_phantom = False
        self._is_new = False
        self._replacing: list[Prefix] | None = None

    def take(self, line: str) -> None:
        key, equals, value = line.partition("=")
        if not equals:
            raise UapiError("a line is key=value", errno=Errno.PROTOCOL)
        if key == "public_key":
            self._public_key(value)
            return
        handler = (_DEVICE_KEYS if self._peer is None else _PEER_KEYS).get(key)
        if handler is None:
            raise UapiError(f"unknown key of a {'device' if self._peer is None else 'peer'}")
        try:
            handler(self, value)
        except (ValueError, ValueProblem):
            raise UapiError("invalid value", path=key) from None

    def finish(self) -> tuple[c.Change, ...]:
        self._end_replacing()
        return tuple(self._changes)

    def _private_key(self, value: str) -> None:
        key = PrivateKey.from_hex(value)
        wanted = None if key.is_zero else key
        self._peers.set_private_key(wanted)
        self._changes.append(c.SetPrivateKey(wanted))

    def _listen_port(self, value: str) -> None:
        self._changes.append(c.SetListenPort(_number(value, 65535)))

    def _fwmark(self, value: str) -> None:
        self._changes.append(c.SetFwmark(_number(value or "0", 0xFFFFFFFF)))

    def _replace_peers(self, value: str) -> None:
        _true(value)
        for key in self._peers.in_order():
            self._peers.remove(key)
            self._changes.append(c.RemovePeer(key))

    def _public_key(self, value: str) -> None:
        """Begin a peer; make it if it is not there."""
        self._end_replacing()
        try:
            key = self._peer = PublicKey.from_hex(value)
        except ValueError:
            raise UapiError("invalid value", path="public_key") from None
        self._is_phantom = key == self._peers.own_key
        self._is_new = not self._is_phantom and key not in self._peers
        if self._is_new:
            self._peers.add(key)
            self._changes.append(c.AddPeer(key))

    def _update_only(self, value: str) -> None:
        _true(value)
        if self._is_new:
            self._take_peer_out()

    def _remove(self, value: str) -> None:
        _true(value)
        if not self._is_phantom:
            self._take_peer_out()

    def _take_peer_out(self) -> None:
        """Remove the peer at hand; the rest of its lines go nowhere."""
        self._end_replacing()
        key = self._key()
        self._peers.remove(key)
        if self._changes and self._changes[-1] == c.AddPeer(key):
            self._changes.pop()
        else:
            self._changes.append(c.RemovePeer(key))
        self._is_phantom, self._is_new = True, False

    def _preshared_key(self, value: str) -> None:
        key = PresharedKey.from_hex(value)
        self._emit(c.SetPresharedKey(self._key(), None if key.is_zero else key))

    def _endpoint(self, value: str) -> None:
        self._emit(c.SetEndpoint(self._key(), _endpoint(value)))

    def _persistent_keepalive(self, value: str) -> None:
        self._emit(c.SetPersistentKeepalive(self._key(), _number(value, 65535)))

    def _protocol_version(self, value: str) -> None:
        if value != "1":
            raise ValueError

    def _replace_allowed_ips(self, value: str) -> None:
        """Prefixes that follow are collected: replaced in one step, a prefix that stays never lacks its owner."""
        _true(value)
        self._end_replacing()
        if not self._is_phantom:
            self._replacing = []

    def _allowed_ip(self, value: str) -> None:
        prefix = _prefix(value.removeprefix("-"))
        if value[0] == "-":
            self._end_replacing()
            self._emit(c.RemoveAllowedIp(self._key(), prefix))
        elif self._replacing is not None:
            self._replacing.append(prefix)
        else:
            self._emit(c.AddAllowedIp(self._key(), prefix))

    def _end_replacing(self) -> None:
        if self._replacing is not None:
            self._changes.append(c.ReplaceAllowedIps(self._key(), tuple(self._replacing)))
            self._replacing = None

    def _emit(self, change: c.Change) -> None:
        if not self._is_phantom:
            self._changes.append(change)

    def _key(self) -> PublicKey:
        assert self._peer is not None, "peer keys are looked up only after a public_key line"
        return self._peer


# Functions, not methods bound to a parser: the cycle would keep every key of a set in memory for a while.
_DEVICE_KEYS: Mapping[str, Callable[[_SetParser, str], None]] = {
    "private_key": _SetParser._private_key,
    "listen_port": _SetParser._listen_port,
    "fwmark": _SetParser._fwmark,
    "replace_peers": _SetParser._replace_peers,
}
_PEER_KEYS: Mapping[str, Callable[[_SetParser, str], None]] = {
    "allowed_ip": _SetParser._allowed_ip,
    "update_only": _SetParser._update_only,
    "remove": _SetParser._remove,
    "preshared_key": _SetParser._preshared_key,
    "endpoint": _SetParser._endpoint,
    "persistent_keepalive_interval": _SetParser._persistent_keepalive,
    "replace_allowed_ips": _SetParser._replace_allowed_ips,
    "protocol_version": _SetParser._protocol_version,
}


def _true(value: str) -> None:
    if value != "true":
        raise ValueError


def _number(value: str, highest: int) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 20 and int(value) <= highest):
        raise ValueError
    return int(value)


def _prefix(value: str) -> Prefix:
    if "/" not in value:
        raise ValueError
    return parse_prefix(value)


def _endpoint(value: str) -> Endpoint:
    """Numeric; the scope of a link-local address may be the name of an interface, as wg(8) sends it."""
    host, percent, rest = value.partition("%")
    scope, bracket, port = rest.partition("]")
    if percent and bracket and not scope.isdigit():
        try:
            scope = str(socket.if_nametoindex(scope))
        except OSError:
            raise ValueError from None
    return Endpoint.parse(f"{host}{percent}{scope}{bracket}{port}")
