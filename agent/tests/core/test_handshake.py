# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The Noise handshake alone: two Handshake objects, no device around them."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest
from support.expect import dropped
from wirefleet_agent.core import stamp_of
from wirefleet_agent.core.constants import CONSTRUCTION, IDENTIFIER
from wirefleet_agent.core.handshake import (
    TRANSITIONS,
    Handshake,
    HandshakeEvent,
    HandshakeState,
    InitiationOpened,
    open_initiation,
)
from wirefleet_agent.crypto import StaticIdentity, blake2s
from wirefleet_agent.drops import DropReason
from wirefleet_agent.errors import InternalError
from wirefleet_agent.keys import PresharedKey, PrivateKey, PublicKey
from wirefleet_agent.wire import Initiation, Response

STAMP = stamp_of(1_700_000_000, 0)


def new_key() -> PrivateKey:
    return PrivateKey(os.urandom(32))


@dataclass
class Sides:
    """The initiator's and the responder's view of each other."""

    initiator: StaticIdentity
    responder: StaticIdentity
    to_responder: Handshake
    to_initiator: Handshake

    def initiate(self, stamp: bytes = STAMP) -> Initiation:
        return self.to_responder.create_initiation(self.initiator, new_key(), 11, stamp)

    def accept(self, message: Initiation, now: float = 100.0) -> None:
        self.to_initiator.consume_initiation(open_initiation(message, self.responder), now)

    def respond(self) -> Response:
        return self.to_initiator.create_response(new_key(), 22)


@pytest.fixture
def sides() -> Sides:
    initiator, responder = StaticIdentity(new_key()), StaticIdentity(new_key())
    to_responder, to_initiator = Handshake(responder.public_key), Handshake(initiator.public_key)
    to_responder.set_identity(initiator)
    to_initiator.set_identity(responder)
    return Sides(initiator, responder, to_responder, to_initiator)


# checklist 1
def test_the_initial_hashes_are_the_papers() -> None:
    chaining_key = blake2s(CONSTRUCTION)

    assert chaining_key.hex() == "60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36"
    assert blake2s(chaining_key, IDENTIFIER).hex() == "2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3"


@pytest.mark.parametrize("psk", [None, PresharedKey(bytes(range(32)))])
def test_both_sides_derive_the_same_keys(sides: Sides, psk: PresharedKey | None) -> None:
    sides.to_responder.preshared_key = sides.to_initiator.preshared_key = psk

    sides.accept(sides.initiate())
    sides.to_responder.consume_response(sides.respond(), sides.initiator)
    ours, theirs = sides.to_responder.begin_session(), sides.to_initiator.begin_session()

    assert (ours.send_key, ours.receive_key) == (theirs.receive_key, theirs.send_key)
    assert ours.send_key != ours.receive_key
    assert (ours.is_initiator, theirs.is_initiator) == (True, False)
    assert (ours.local_index, ours.remote_index) == (theirs.remote_index, theirs.local_index) == (11, 22)
    assert sides.to_responder.local_index is None
    assert sides.to_responder.state is sides.to_initiator.state is HandshakeState.IDLE


# checklist 3
def test_a_preshared_key_of_zeros_means_none(sides: Sides) -> None:
    sides.to_responder.preshared_key = PresharedKey(bytes(32))

    sides.accept(sides.initiate())

    sides.to_responder.consume_response(sides.respond(), sides.initiator)


# checklist 3
def test_different_preshared_keys_fail_at_the_response(sides: Sides) -> None:
    sides.to_responder.preshared_key = PresharedKey(bytes([1]) * 32)
    sides.accept(sides.initiate())

    with dropped(DropReason.BAD_HANDSHAKE):
        sides.to_responder.consume_response(sides.respond(), sides.initiator)


# checklist 8
def test_a_spoiled_response_leaves_the_handshake_as_it_was(sides: Sides) -> None:
    sides.accept(sides.initiate())
    response = sides.respond()

    for spoiled in (
        response._replace(encrypted_nothing=bytes(16)),
        response._replace(ephemeral=os.urandom(32)),
    ):
        with dropped(DropReason.BAD_HANDSHAKE):
            sides.to_responder.consume_response(spoiled, sides.initiator)
        assert sides.to_responder.state is HandshakeState.INITIATION_CREATED

    sides.to_responder.consume_response(response, sides.initiator)


# checklist 8
@pytest.mark.parametrize("field", ["encrypted_static", "encrypted_timestamp", "ephemeral"])
def test_a_spoiled_initiation_leaves_the_handshake_as_it_was(sides: Sides, field: str) -> None:
    message = sides.initiate()
    spoiled = bytearray(getattr(message, field))
    spoiled[3] ^= 1

    with dropped(DropReason.BAD_HANDSHAKE):
        sides.accept(message._replace(**{field: bytes(spoiled)}))

    assert sides.to_initiator.state is HandshakeState.IDLE
    sides.accept(message)


# checklist 5
def test_a_stamp_must_be_after_the_last_accepted_one(sides: Sides) -> None:
    message = sides.initiate()
    sides.accept(message, now=100)

    with dropped(DropReason.REPLAYED_INITIATION):
        sides.accept(message, now=200)
    sides.to_initiator.clear()
    with dropped(DropReason.REPLAYED_INITIATION):
        sides.accept(message, now=300)


# checklist 6
def test_initiations_closer_than_20_ms_are_a_flood(sides: Sides) -> None:
    sides.accept(sides.initiate(), now=100)

    with dropped(DropReason.INITIATION_FLOOD):
        sides.accept(sides.initiate(), now=100.02)
    sides.accept(sides.initiate(), now=100.021)


# checklist 2
def test_low_order_ephemerals_abort_both_messages(sides: Sides) -> None:
    message = sides.initiate()
    with dropped(DropReason.LOW_ORDER_KEY):
        sides.accept(message._replace(ephemeral=bytes(32)))
    sides.accept(message)
    with dropped(DropReason.LOW_ORDER_KEY):
        sides.to_responder.consume_response(sides.respond()._replace(ephemeral=bytes(32)), sides.initiator)


# checklist 2
def test_a_static_key_of_low_order_makes_the_peer_unusable(sides: Sides) -> None:
    peer = Handshake(PublicKey(bytes(32)))
    peer.set_identity(sides.initiator)

    assert not peer.is_usable
    opened = open_initiation(sides.initiate(), sides.responder)
    with dropped(DropReason.LOW_ORDER_KEY):
        peer.consume_initiation(opened, 0)


class CountingIdentity(StaticIdentity):
    """Counts its Diffie-Hellman operations."""

    __slots__ = ("exchanges",)

    def __init__(self, key: PrivateKey) -> None:
        super().__init__(key)
        self.exchanges = 0

    def exchange(self, public: bytes) -> bytes:
        self.exchanges += 1
        return super().exchange(public)


# checklist 2, 17
def test_the_static_secret_is_computed_once_and_only_when_it_is_needed() -> None:
    first, second = CountingIdentity(new_key()), CountingIdentity(new_key())
    responder = StaticIdentity(new_key())
    peer = Handshake(responder.public_key)

    peer.set_identity(first)
    assert first.exchanges == 0
    assert peer.is_usable
    assert peer.is_usable
    assert first.exchanges == 1

    peer.set_identity(second)
    message = peer.create_initiation(second, new_key(), 11, STAMP)
    to_initiator = Handshake(second.public_key)
    to_initiator.set_identity(responder)
    to_initiator.consume_initiation(open_initiation(message, responder), 100)
    assert (first.exchanges, second.exchanges) == (1, 1)

    peer.set_identity(None)
    assert not peer.is_usable


# checklist 8
def test_a_response_is_taken_only_while_an_initiation_waits_for_it(sides: Sides) -> None:
    sides.accept(sides.initiate())
    response = sides.respond()
    sides.to_responder.consume_response(response, sides.initiator)

    with dropped(DropReason.UNEXPECTED_RESPONSE):
        sides.to_responder.consume_response(response, sides.initiator)
    with dropped(DropReason.UNEXPECTED_RESPONSE):
        sides.to_initiator.consume_response(response, sides.responder)


# checklist 10
def test_the_transition_table_lets_either_role_begin_in_every_state() -> None:
    for state in HandshakeState:
        assert TRANSITIONS[state, HandshakeEvent.CREATE_INITIATION] is HandshakeState.INITIATION_CREATED
        assert TRANSITIONS[state, HandshakeEvent.CONSUME_INITIATION] is HandshakeState.INITIATION_CONSUMED
        assert TRANSITIONS[state, HandshakeEvent.CLEAR] is HandshakeState.IDLE


def test_an_event_outside_the_table_is_our_own_mistake(sides: Sides) -> None:
    with pytest.raises(InternalError):
        sides.to_responder.begin_session()
    with pytest.raises(InternalError):
        sides.to_responder._move(HandshakeEvent.CREATE_RESPONSE)


# checklist 16
def test_a_finished_handshake_keeps_no_secret(sides: Sides) -> None:
    sides.accept(sides.initiate())
    pair = sides.to_responder._ephemeral
    assert pair is not None
    chaining_key = sides.to_responder._chaining_key

    sides.to_responder.consume_response(sides.respond(), sides.initiator)
    sides.to_responder.begin_session()

    assert pair.private_key.is_zero
    assert not any(chaining_key)
    assert sides.to_responder._ephemeral is None


def test_values_that_carry_keys_do_not_show_them(sides: Sides) -> None:
    message = sides.initiate()
    opened: InitiationOpened = open_initiation(message, sides.responder)
    sides.accept(message)
    sides.respond()
    keys = sides.to_initiator.begin_session()

    assert "redacted" in repr(opened)
    assert "redacted" in f"{keys}"
    assert repr(keys.send_key) not in repr(keys)
