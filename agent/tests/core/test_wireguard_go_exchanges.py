# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Recorded exchanges with wireguard-go: an independent implementation agrees with every byte of ours."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from wirefleet_agent.core import DeliverPacket, Device, SendDatagram, stamp_of
from wirefleet_agent.crypto import public_key_of
from wirefleet_agent.keys import PresharedKey, PrivateKey
from wirefleet_agent.wire import Endpoint

FIXTURE = json.loads((Path(__file__).parent / "fixtures" / "wireguard_go_exchanges.json").read_text())
THEIR_ENDPOINT = Endpoint("127.0.0.1", 51999)


class ScriptedEntropy:
    """The entropy of the recording: a draw depends on its size and its number among draws of that size."""

    def __init__(self) -> None:
        self.draws: Counter[int] = Counter()

    def __call__(self, count: int) -> bytes:
        self.draws[count] += 1
        return hashlib.sha256(f"{count} {self.draws[count]}".encode()).digest()[:count]


# checklist 1, 3, 4, 5, 9, 28
@pytest.mark.parametrize("exchange", FIXTURE["exchanges"], ids=lambda exchange: exchange["role"])
def test_a_recorded_exchange_replays_byte_for_byte(exchange: dict[str, Any]) -> None:
    device = Device(entropy=ScriptedEntropy(), tai64n_now=lambda: stamp_of(1_700_000_000, 0))
    device.set_private_key(PrivateKey(bytes(range(32))), 0)
    device.up(0)
    peer = device.add_peer(public_key_of(PrivateKey(bytes(range(100, 132)))), 0)
    device.set_preshared_key(peer, PresharedKey(bytes(range(200, 232))), 0)
    device.allowed_ips.insert(ipaddress.ip_network("10.9.0.0/24"), peer)
    ping = bytes.fromhex(exchange["ping"])
    if exchange["role"] == "initiator":
        device.set_endpoint(peer, THEIR_ENDPOINT, 0)
        device.send_packet(ping, 0)

    sent: list[str] = []
    delivered: list[str] = []
    for sender, datagram in exchange["datagrams"]:
        for output in device.poll():
            if isinstance(output, SendDatagram):
                sent.append(output.datagram.hex())
            elif isinstance(output, DeliverPacket):
                delivered.append(output.packet.hex())
        if sender == "wireguard-go":
            device.receive_datagram(bytes.fromhex(datagram), THEIR_ENDPOINT, None, 0)
            if exchange["role"] == "responder" and len(datagram) == 2 * 32:
                device.send_packet(ping, 0)
    delivered += [output.packet.hex() for output in device.poll() if isinstance(output, DeliverPacket)]

    assert sent == [datagram for sender, datagram in exchange["datagrams"] if sender == "agent"]
    assert delivered == [exchange["reply"]]
    assert not device.drops
