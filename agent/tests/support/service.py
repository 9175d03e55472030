# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Ask a service that runs on memory drivers, without the socket between."""

from __future__ import annotations

import errno
import json

from support.memory_host import MemoryHost
from wirefleet_agent.errors import DriverError
from wirefleet_agent.host.control_server import ControlServer
from wirefleet_agent.keys import PublicKey

PEER = str(PublicKey(bytes(range(1, 33))))
OTHER = str(PublicKey(bytes(range(101, 133))))


def conf(*peers: str, port: int = 51820, address: str = "10.9.0.1/24") -> str:
    return "\n".join([f"[Interface]\nListenPort = {port}\nAddress = {address}\n", *peers])


def peer(key: str = PEER, host: str = "192.0.2.2", allowed: str = "10.9.0.2/32") -> str:
    return f"[Peer]\nPublicKey = {key}\nEndpoint = {host}:51820\nAllowedIPs = {allowed}\nPersistentKeepalive = 25\n"


def ask(host: MemoryHost, verb: str, request: object = None) -> dict:
    """What a client would get, without the socket between."""
    message = json.dumps({"verb": verb, "request": request or {}}).encode() + b"\n"
    reply = json.loads(host.container.get(ControlServer).answer(message))
    host.turn()
    return reply.get("reply", reply)


def apply(host: MemoryHost, text: str, confirm_timeout_s: int = 0, **more: object) -> dict:
    return ask(host, "config.apply", {"conf": text, "confirm_timeout_s": confirm_timeout_s} | more)


def refuse_to(call: str):
    def refuse(*arguments):
        raise DriverError("no", call=call, os_code=errno.EPERM)

    return refuse
