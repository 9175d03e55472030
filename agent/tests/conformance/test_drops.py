# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Silence on the wire is policy, silence in the counters is a bug: every drop of the core has its reason counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.net import Network
from support.node import Node
from support.packets import ip_packet
from support.reference_noise import with_macs
from support.stranger import Stranger
from wirefleet_agent.drops import DropReason
from wirefleet_agent.wire import Endpoint

Scene = tuple[Network, Node, Stranger]
ELSEWHERE = Endpoint("198.51.100.66", 666)


def initiation(scene: Scene) -> bytes:
    return scene[2].noise.create_initiation(scene[2].stamp())


def forged_initiation(scene: Scene) -> bytes:
    return with_macs(b"\x01\0\0\0" + bytes([9]) * 112, scene[1].public_key.raw)


def unknown_peer(scene: Scene) -> None:
    scene[1].device.remove_peer(scene[2].peer.public_key, scene[0].now)
    scene[2].give(initiation(scene))


def twice(scene: Scene) -> None:
    message = initiation(scene)
    scene[2].give(message)
    scene[2].give(message)


def flood_of_one_peer(scene: Scene) -> None:
    scene[2].give(initiation(scene))
    scene[2].give(initiation(scene))


def second_response(scene: Scene) -> None:
    _, _, stranger = scene
    stranger.poke()
    stranger.noise.consume_initiation(*stranger.take())
    response = stranger.noise.create_response()
    stranger.give(response)
    stranger.give(response)


def second_cookie(scene: Scene) -> None:
    _, _, stranger = scene
    stranger.poke()
    reply = stranger.noise.create_cookie_reply(*stranger.take(), bytes(16))
    stranger.give(reply)
    stranger.give(reply)


def bad_cookie(scene: Scene) -> None:
    _, _, stranger = scene
    stranger.poke()
    reply = stranger.noise.create_cookie_reply(*stranger.take(), bytes(16))
    stranger.give(reply[:-1] + bytes([reply[-1] ^ 1]))


def overload(scene: Scene) -> None:
    net, node, _ = scene
    for _ in range(128):
        net.inject(bytes([1, 0, 0, 0]) + bytes(144), source=ELSEWHERE, to=node, drain=False)
    net.drain(node)
    node.drops.clear()


def no_mac2_under_load(scene: Scene) -> None:
    overload(scene)
    scene[2].give(initiation(scene))


def too_many_with_mac2(scene: Scene) -> None:
    overload(scene)
    _, node, stranger = scene
    asked = initiation(scene)
    stranger.give(asked)
    stranger.noise.consume_cookie_reply(*stranger.take(), asked)
    for _ in range(5):
        stranger.give(initiation(scene))
    node.drops.clear()
    stranger.give(initiation(scene))


def full_queue(scene: Scene) -> None:
    net, node, _ = scene
    for _ in range(1025):
        net.inject(forged_initiation(scene), source=ELSEWHERE, to=node, drain=False)


def low_order(scene: Scene) -> None:
    message = initiation(scene)
    scene[2].give(with_macs(message[:8] + bytes(32) + message[40:-32], scene[1].public_key.raw))


def with_session(act: Callable[[Scene], None]) -> Callable[[Scene], None]:
    def scene_with_session(scene: Scene) -> None:
        scene[2].initiate()
        act(scene)

    return scene_with_session


def late(scene: Scene) -> None:
    scene[0].run_for(181)
    scene[2].send(b"")


def flipped(scene: Scene) -> None:
    datagram = scene[2].noise.seal_data(9, b"")
    scene[2].give(datagram[:-1] + bytes([datagram[-1] ^ 1]))


def replayed(scene: Scene) -> None:
    scene[2].give(scene[2].send(b""))


def host_sends(destination: str, count: int = 1) -> Callable[[Scene], None]:
    def send(scene: Scene) -> None:
        net, node, _ = scene
        for _ in range(count):
            node.device.send_packet(ip_packet(node.inner, destination), net.now)

    return send


def host_sends_rubbish(packet: bytes) -> Callable[[Scene], None]:
    return lambda scene: scene[1].device.send_packet(packet, scene[0].now)


def to_a_peer_without_endpoint(scene: Scene) -> None:
    net, node, stranger = scene
    node.device.set_endpoint(stranger.peer, None, net.now)
    stranger.poke()


def staged_and_given_up(scene: Scene) -> None:
    scene[2].poke()
    scene[0].run_for(120)


def down(scene: Scene) -> None:
    net, node, stranger = scene
    node.device.down(net.now)
    stranger.give(initiation(scene))


def gives(datagram: bytes) -> Callable[[Scene], None]:
    return lambda scene: scene[2].give(datagram)


R = DropReason
CASES: list[tuple[DropReason, Callable[[Scene], None]]] = [
    (R.MALFORMED_MESSAGE, gives(b"")),
    (R.MALFORMED_MESSAGE, gives(b"\x01\0\0")),
    (R.MALFORMED_MESSAGE, gives(b"\x01\0\0\0" + bytes(143))),
    (R.MALFORMED_MESSAGE, gives(b"\x04\0\0\0" + bytes(27))),
    (R.UNKNOWN_MESSAGE_TYPE, gives(bytes(148))),
    (R.UNKNOWN_MESSAGE_TYPE, gives(b"\x05\0\0\0")),
    (R.BAD_MAC1, gives(b"\x01\0\0\0" + bytes(144))),
    (R.BAD_MAC1, gives(b"\x02\0\0\0" + bytes(88))),
    (R.BAD_MAC2, no_mac2_under_load),
    (R.RATE_LIMITED, too_many_with_mac2),
    (R.UNKNOWN_PEER, unknown_peer),
    (R.UNKNOWN_INDEX, gives(b"\x04\0\0\0" + bytes(28))),
    (R.UNKNOWN_INDEX, gives(b"\x03\0\0\0" + bytes(60))),
    (R.BAD_HANDSHAKE, lambda scene: scene[2].give(forged_initiation(scene))),
    (R.LOW_ORDER_KEY, low_order),
    (R.REPLAYED_INITIATION, twice),
    (R.INITIATION_FLOOD, flood_of_one_peer),
    (R.UNEXPECTED_RESPONSE, second_response),
    (R.UNEXPECTED_COOKIE, second_cookie),
    (R.BAD_COOKIE, bad_cookie),
    (R.HANDSHAKE_QUEUE_FULL, full_queue),
    (R.BAD_TAG, with_session(flipped)),
    (R.REPLAYED, with_session(replayed)),
    (R.EXPIRED_KEY, with_session(late)),
    (R.WRONG_SOURCE, with_session(lambda scene: void(scene[2].send(ip_packet("192.0.2.99", "10.86.0.1"))))),
    (R.BAD_PACKET_VERSION, with_session(lambda scene: void(scene[2].send(bytes(32))))),
    (R.BAD_PACKET_LENGTH, with_session(lambda scene: void(scene[2].send(b"\x45" + bytes(18))))),
    (R.BAD_PACKET_VERSION, host_sends_rubbish(bytes(32))),
    (R.BAD_PACKET_LENGTH, host_sends_rubbish(b"")),
    (R.BAD_PACKET_LENGTH, host_sends_rubbish(b"\x60" + bytes(10))),
    (R.NO_ROUTE_TO_PEER, host_sends("10.1.1.1")),
    (R.NO_ENDPOINT, to_a_peer_without_endpoint),
    (R.STAGED_OVERFLOW, host_sends("10.86.9.200", 129)),
    (R.STAGED_EXPIRED, staged_and_given_up),
    (R.PEER_STOPPED, down),
]
OF_THE_ENGINE = {R.UDP_SEND_FAILED, R.TUN_WRITE_FAILED}


def void(_: object) -> None:
    """Let a lambda end in nothing."""


@pytest.mark.parametrize(("reason", "act"), CASES, ids=[reason.value for reason, _ in CASES])
def test_one_drop_is_one_count_of_its_reason(net: Network, reason: DropReason, act: Callable[[Scene], None]) -> None:
    node = net.node()

    act((net, node, Stranger(net, node)))

    assert node.drops == {reason: 1}


def test_the_cases_cover_every_reason_of_the_core() -> None:
    assert {reason for reason, _ in CASES} == set(DropReason) - OF_THE_ENGINE
