# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Heartbeats' bytes: what is built is parsed again, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirefleet_agent.ha.messages import (
    CLAIM_BYTES,
    MAX_CLAIMS,
    MAX_MESSAGE_BYTES,
    REPLY_BYTES,
    REQUEST_BYTES,
    Claim,
    Claims,
    Fault,
    Flag,
    MessageInvalid,
    Reply,
    Request,
    build_claims,
    build_reply,
    build_request,
    is_newer_count,
    parse,
)
from wirefleet_agent.keys import PublicKey

u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
keys = st.binary(min_size=32, max_size=32).filter(any).map(PublicKey)
flags = st.sampled_from([Flag(0), Flag.DRAINING, Flag.PROBE, Flag.DRAINING | Flag.PROBE])
requests = st.builds(
    lambda pair, active, count, epoch, instance, flag: Request(
        max(*pair, 1), min(pair), active, count, epoch, instance, flag
    ),
    st.tuples(u64, u64), st.none() | keys, u32, u64, u32, flags,
)  # fmt: skip
replies = st.builds(Reply, st.integers(1, 2**64 - 1), u64, st.none() | keys, flags)
claims = st.lists(
    st.builds(Claim, keys, u32, st.booleans()), min_size=1, max_size=MAX_CLAIMS, unique_by=lambda claim: claim.spoke
)
KEY = PublicKey(bytes(range(32)))
OTHER = PublicKey(bytes(31) + b"\1")
REQUEST = build_request(Request(7, 6, KEY, 3, 9, 11, Flag.DRAINING))
REPLY = build_reply(Reply(7, 9, KEY, Flag.PROBE))
CLAIMS = build_claims([Claim(KEY, 1), Claim(PublicKey(bytes(31) + b"\1"), 2, is_lost=True)])


@given(requests)
def test_a_request_comes_back_as_it_was(request: Request) -> None:
    assert parse(build_request(request)) == request


@given(replies)
def test_a_reply_comes_back_as_it_was(reply: Reply) -> None:
    assert parse(build_reply(reply)) == reply


@given(claims)
def test_claims_come_back_as_they_were(made: list[Claim]) -> None:
    assert parse(build_claims(made)) == Claims(tuple(made))


@given(st.binary(max_size=MAX_MESSAGE_BYTES + 8))
def test_random_bytes_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(MessageInvalid):
        parse(data)


@given(st.sampled_from([REQUEST, REPLY, CLAIMS]), st.data())
def test_altered_bytes_are_refused_or_mean_exactly_what_they_say(message: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(message) - 1))
    altered = bytearray(message)
    altered[at] ^= data.draw(st.integers(1, 255))

    try:
        found = parse(altered)
    except MessageInvalid:
        return

    rebuilt = (
        build_request(found)
        if isinstance(found, Request)
        else build_reply(found)
        if isinstance(found, Reply)
        else build_claims(found.claims)
    )
    assert rebuilt == altered


@pytest.mark.parametrize("message", [REQUEST, REPLY, CLAIMS])
def test_every_truncation_and_every_tail_is_refused(message: bytes) -> None:
    for size in range(len(message)):
        with pytest.raises(MessageInvalid):
            parse(message[:size])
    for tail in (b"\0", bytes(CLAIM_BYTES), b"WF"):
        with pytest.raises(MessageInvalid):
            parse(message + tail)


def test_sizes_are_as_documented() -> None:
    assert (len(REQUEST), len(REPLY)) == (REQUEST_BYTES, REPLY_BYTES) == (72, 56)
    many = [Claim(PublicKey(bytes(31) + bytes([number + 1])), number) for number in range(MAX_CLAIMS)]
    assert len(build_claims(many)) == MAX_MESSAGE_BYTES == 1128
    assert MAX_MESSAGE_BYTES + 48 <= 1280


def test_another_version_is_told_from_nonsense() -> None:
    with pytest.raises(MessageInvalid) as caught:
        parse(REQUEST[:2] + b"\2" + REQUEST[3:])

    assert caught.value.fault is Fault.UNKNOWN_VERSION


@pytest.mark.parametrize(
    "message",
    [
        build_request(Request(0)),
        build_reply(Reply(0)),
        REQUEST[:4] + b"\x80" + REQUEST[5:],  # an unknown flag
        REQUEST[:7] + b"\1" + REQUEST[8:],  # filling
        build_request(Request(5, 6)),  # heard what was not sent
        CLAIMS[:4] + b"\0\0" + CLAIMS[6:],  # none
        CLAIMS[:8] + bytes(32) + CLAIMS[40:],  # of nobody
        build_claims([Claim(KEY, 1), Claim(OTHER, 1)])[:48] + build_claims([Claim(KEY, 2)])[8:],  # one spoke twice
        b"WF\1\4" + bytes(68),
    ],
)  # fmt: skip
def test_impossible_fields_are_refused(message: bytes) -> None:
    with pytest.raises(MessageInvalid) as caught:
        parse(message)

    assert caught.value.fault is Fault.MALFORMED


@pytest.mark.parametrize("number", [0, MAX_CLAIMS + 1])
def test_claims_are_never_none_or_too_many(number: int) -> None:
    with pytest.raises(ValueError, match="1 to 28"):
        build_claims([Claim(KEY, 1)] * number)


def test_switch_counts_wrap_around() -> None:
    assert is_newer_count(1, 0)
    assert not is_newer_count(0, 1)
    assert not is_newer_count(4, 4)
    assert is_newer_count(2, 2**32 - 3)
    assert not is_newer_count(2**32 - 3, 2)
    assert not is_newer_count(2**31, 0)
    assert not is_newer_count(0, 2**31)


@given(u32, st.integers(1, 2**31 - 1))
def test_of_two_counts_less_than_half_of_the_circle_apart_one_is_newer(count: int, step: int) -> None:
    later = (count + step) % 2**32

    assert is_newer_count(later, count)
    assert not is_newer_count(count, later)
