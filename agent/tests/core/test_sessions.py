# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Session slots, indices and leases."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import cast

import pytest
from support.net import Network
from support.packets import ip_packet
from wirefleet_agent.core import DeliverPacket, Peer, SendDatagram
from wirefleet_agent.core.constants import REJECT_AFTER_MESSAGES
from wirefleet_agent.core.index_table import IndexTable
from wirefleet_agent.core.session import Session, SessionSlots
from wirefleet_agent.drops import DropReason
from wirefleet_agent.wire import Endpoint, LocalAddress, pack_nonce, pack_transport_header

PEER = cast(Peer, None)


def counting() -> Callable[[int], bytes]:
    numbers: Iterator[int] = iter(range(1, 1000))
    return lambda count: next(numbers).to_bytes(count, "little")


def session(indices: IndexTable, *, is_initiator: bool) -> Session:
    index = indices.allocate(PEER)
    made = Session(
        PEER,
        is_initiator=is_initiator,
        local_index=index,
        remote_index=0,
        send_key=bytes(32),
        receive_key=bytes(32),
        now=0,
    )
    indices.promote(made)
    return made


@pytest.fixture
def indices() -> IndexTable:
    return IndexTable(counting())


# checklist 7
def test_an_index_in_use_is_never_drawn_again() -> None:
    draws = iter([5, 5, 5, 6])
    indices = IndexTable(lambda count: next(draws).to_bytes(count, "little"))

    assert indices.allocate(PEER) == 5
    assert indices.allocate(PEER) == 6


# checklist 7
def test_the_index_of_a_handshake_becomes_its_sessions(indices: IndexTable) -> None:
    made = session(indices, is_initiator=True)

    assert indices.sessions == {made.local_index: made}
    assert not indices.handshakes
    indices.release(made.local_index)
    indices.release(made.local_index)
    assert len(indices) == 0
    assert indices.peer_of(made.local_index) is None


# checklist 11
def test_the_initiators_session_is_current_at_once(indices: IndexTable) -> None:
    slots = SessionSlots(indices)
    made = [session(indices, is_initiator=True) for _ in range(3)]

    for each in made:
        slots.add(each)

    assert (slots.previous, slots.current, slots.next) == (made[1], made[2], None)
    assert set(indices.sessions) == {made[1].local_index, made[2].local_index}


# checklist 11
def test_the_responders_session_waits_until_it_is_confirmed(indices: IndexTable) -> None:
    slots = SessionSlots(indices)
    old, new = session(indices, is_initiator=True), session(indices, is_initiator=False)
    slots.add(old)
    slots.add(new)
    assert (slots.previous, slots.current, slots.next) == (None, old, new)

    assert not slots.confirm(old.open_lease)
    assert slots.confirm(new.open_lease)

    assert (slots.previous, slots.current, slots.next) == (old, new, None)


# checklist 11
def test_a_new_response_replaces_an_unconfirmed_one_and_drops_the_previous(indices: IndexTable) -> None:
    slots = SessionSlots(indices)
    for is_initiator in (True, True, False, False):
        slots.add(session(indices, is_initiator=is_initiator))

    assert slots.previous is None
    assert slots.next is not None
    assert len(indices.sessions) == 2


# checklist 11
def test_an_initiators_session_keeps_the_unconfirmed_one_as_previous(indices: IndexTable) -> None:
    slots = SessionSlots(indices)
    first, waiting, new = (session(indices, is_initiator=flag) for flag in (True, False, True))
    for each in (first, waiting, new):
        slots.add(each)

    assert (slots.previous, slots.current, slots.next) == (waiting, new, None)
    assert first.local_index not in indices.sessions


def test_a_leased_batch_arrives_and_moves_all_counters(net: Network) -> None:
    a, b = net.established_pair()
    packets = [ip_packet(a.inner, b.inner, bytes([number]) * 28) for number in range(4)]
    tx_before, rx_before = a.peer(b).tx_bytes, b.peer(a).rx_bytes

    lease = a.device.lease_seal(a.peer(b), 4, net.now)
    assert lease is not None
    datagrams = [
        pack_transport_header(lease.receiver_index, counter) + lease.aead.encrypt(pack_nonce(counter), packet, None)
        for counter, packet in enumerate(packets, lease.first_counter)
    ]
    a.device.commit_seal(lease, 4, sum(map(len, datagrams)), net.now)
    opening = b.device.lease_open(lease.receiver_index, net.now)
    assert opening is not None
    assert opening.peer is b.peer(a)
    opened = [
        opening.aead.decrypt(pack_nonce(counter), datagram[16:], None)
        for counter, datagram in enumerate(datagrams, lease.first_counter)
    ]
    assert opening.check(lease.first_counter)
    assert opening.commit_run(lease.first_counter, 4)
    assert not opening.commit(lease.first_counter)
    elsewhere, local = Endpoint("198.51.100.1", 9), LocalAddress("192.0.2.2", 3)
    b.device.commit_open(opening, elsewhere, local, 4, sum(map(len, datagrams)), True, net.now)

    assert opened == packets
    assert a.peer(b).tx_bytes - tx_before == b.peer(a).rx_bytes - rx_before == sum(map(len, datagrams))
    assert (b.peer(a).endpoint, b.peer(a).local) == (elsewhere, local)
    net.run_for(11)
    assert net.count("keepalive", sender=b) == 1


# checklist 31
def test_leases_never_share_a_counter_with_each_other_or_with_send_packet(net: Network) -> None:
    a, b = net.established_pair()
    peer = a.peer(b)

    first = a.device.lease_seal(peer, 10, net.now)
    a.send(b)
    second = a.device.lease_seal(peer, 1, net.now)

    assert first is not None
    assert second is not None
    sent = net.sent("data", sender=a)[0].datagram
    assert int.from_bytes(sent[8:16], "little") == first.first_counter + 10
    assert second.first_counter == first.first_counter + 11


def test_there_is_no_lease_without_session_endpoint_or_counters(net: Network) -> None:
    a, b = net.pair()
    assert a.device.lease_seal(a.peer(b), 1, net.now) is None
    a.send(b)
    net.run_for(1)
    peer = a.peer(b)
    assert a.device.lease_seal(peer, 1, net.now) is not None

    a.device.set_endpoint(peer, None, net.now)
    assert a.device.lease_seal(peer, 1, net.now) is None
    a.device.set_endpoint(peer, b.endpoint, net.now)
    assert peer.sessions.current is not None
    peer.sessions.current.send_counter = REJECT_AFTER_MESSAGES - 3
    assert a.device.lease_seal(peer, 4, net.now) is None
    assert a.device.lease_seal(peer, 3, net.now) is not None
    assert a.device.lease_seal(peer, 1, net.now) is None


# checklist 14
def test_an_expired_session_gives_no_leases(net: Network) -> None:
    a, b = net.established_pair()
    index = next(iter(b.device._environment.indices.sessions))
    created = max(a.peer(b).sessions.current.created_at, b.peer(a).sessions.current.created_at)  # type: ignore[union-attr]

    assert a.device.lease_seal(a.peer(b), 1, created + 179) is not None
    assert a.device.lease_seal(a.peer(b), 1, created + 180) is None
    assert b.device.lease_open(index, created + 179) is not None
    assert b.device.lease_open(index, created + 180) is None
    assert b.device.lease_open(index ^ 1, created) is None
    assert b.drops[DropReason.EXPIRED_KEY] == 1
    assert b.drops[DropReason.UNKNOWN_INDEX] == 1


# checklist 11
def test_a_leased_batch_confirms_the_responders_session_and_sends_what_it_staged(net: Network) -> None:
    a, b = net.pair()
    net.filters.append(lambda record: record.kind not in ("data", "keepalive"))
    a.send(b)
    net.run_for(0.1)
    b.send(a, b"staged at b")
    waiting = b.peer(a).sessions.next
    assert waiting is not None
    assert not b.has_session(a)

    lease = b.device.lease_open(waiting.local_index, net.now)
    assert lease is not None
    b.device.commit_open(lease, a.endpoint, None, 1, 32, False, net.now)
    outputs = b.device.poll()

    assert b.has_session(a)
    assert [type(output).__name__ for output in outputs] == ["HandshakeCompleted", "SendDatagram"]


def test_a_lease_that_outlives_its_peer_does_nothing(net: Network) -> None:
    a, b = net.established_pair()
    sealing = a.device.lease_seal(a.peer(b), 1, net.now)
    opening = a.device.lease_open(next(iter(a.device._environment.indices.sessions)), net.now)
    assert sealing is not None
    assert opening is not None

    a.device.remove_peer(b.public_key, net.now)
    a.device.commit_seal(sealing, 1, 100, net.now)
    a.device.commit_open(opening, b.endpoint, None, 1, 100, True, net.now)

    assert a.device.poll() == []
    assert a.device.next_deadline() is None


# checklist 15, 16
def test_dropped_keys_are_gone_without_waiting_for_the_garbage_collector(net: Network) -> None:
    a, b = net.established_pair()

    def keys() -> int:
        return sum(isinstance(each, Session) for each in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = keys()
        net.run_for(600)
        assert keys() == before - 2
    finally:
        gc.enable()
    assert not a.has_session(b)


def test_outputs_are_named_tuples_that_tell_their_peer(net: Network) -> None:
    a, b = net.pair()
    a.device.send_packet(ip_packet(a.inner, b.inner), net.now)

    (output,) = a.device.poll()

    assert isinstance(output, SendDatagram)
    assert not isinstance(output, DeliverPacket)
    assert (output.endpoint, output.local, output.peer) == (b.endpoint, None, a.peer(b))
