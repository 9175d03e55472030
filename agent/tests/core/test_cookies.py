# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""mac1, mac2, cookies, and the limiter behind them."""

from __future__ import annotations

import os

import pytest
from wirefleet_agent.core.cookies import CookieChecker, CookieGenerator
from wirefleet_agent.core.rate_limiter import RateLimiter
from wirefleet_agent.keys import PublicKey
from wirefleet_agent.wire import CookieReply, Endpoint

KEY = PublicKey(bytes(range(32)))
SOURCE = Endpoint("192.0.2.1", 51820)


@pytest.fixture
def checker() -> CookieChecker:
    return CookieChecker(KEY, os.urandom)


@pytest.fixture
def generator() -> CookieGenerator:
    return CookieGenerator(KEY)


def message(generator: CookieGenerator, now: float) -> bytes:
    buffer = bytearray(148)
    generator.add_macs(buffer, now)
    return bytes(buffer)


def reply_to(checker: CookieChecker, sent: bytes, now: float, source: Endpoint = SOURCE) -> CookieReply:
    return CookieReply.parse(checker.create_reply(sent, 77, source, now))


# checklist 4
def test_mac1_needs_our_public_key_and_the_whole_message(checker: CookieChecker, generator: CookieGenerator) -> None:
    sent = message(generator, 0)

    assert checker.is_mac1_valid(sent)
    assert not CookieChecker(PublicKey(bytes(32)), os.urandom).is_mac1_valid(sent)
    for position in range(len(sent) - 16):
        spoiled = bytearray(sent)
        spoiled[position] ^= 1
        assert not checker.is_mac1_valid(bytes(spoiled))


# checklist 26
def test_without_a_cookie_mac2_is_zero_and_invalid(checker: CookieChecker, generator: CookieGenerator) -> None:
    sent = message(generator, 0)

    assert sent[-16:] == bytes(16)
    assert not checker.is_mac2_valid(sent, SOURCE, 0)


# checklist 26
def test_a_cookie_makes_mac2_valid_for_its_source_alone(checker: CookieChecker, generator: CookieGenerator) -> None:
    assert generator.consume_reply(reply_to(checker, message(generator, 0), 0), 0)

    sent = message(generator, 5)

    assert checker.is_mac2_valid(sent, SOURCE, 5)
    assert not checker.is_mac2_valid(sent, Endpoint("192.0.2.1", 51821), 5)
    assert not checker.is_mac2_valid(sent, Endpoint("192.0.2.2", 51820), 5)


# checklist 26
def test_a_cookie_lives_two_minutes_on_both_sides(checker: CookieChecker, generator: CookieGenerator) -> None:
    generator.consume_reply(reply_to(checker, message(generator, 0), 0), 0)
    assert checker.is_mac2_valid(message(generator, 119.9), SOURCE, 119.9)

    assert message(generator, 120)[-16:] == bytes(16)
    assert not checker.is_mac2_valid(message(generator, 119.9), SOURCE, 120)


# checklist 26
def test_the_secret_changes_after_two_minutes_and_not_before(checker: CookieChecker) -> None:
    early, late = CookieGenerator(KEY), CookieGenerator(KEY)
    early.consume_reply(reply_to(checker, message(early, 0), 0), 0)
    late.consume_reply(reply_to(checker, message(late, 100), 100), 100)
    assert checker.is_mac2_valid(message(late, 100), SOURCE, 100)

    checker.create_reply(message(early, 121), 77, SOURCE, 121)

    assert not checker.is_mac2_valid(message(late, 121), SOURCE, 121)


# checklist 26
def test_a_reply_is_taken_only_for_the_last_mac1_and_once(checker: CookieChecker, generator: CookieGenerator) -> None:
    assert not generator.is_reply_expected
    first = message(generator, 0)
    stale = reply_to(checker, first, 0)
    assert not CookieGenerator(KEY).consume_reply(stale, 0)
    buffer = bytearray(os.urandom(148))
    generator.add_macs(buffer, 5)

    assert not generator.consume_reply(stale, 5)
    fresh = reply_to(checker, bytes(buffer), 5)
    assert generator.consume_reply(fresh, 5)
    assert not generator.consume_reply(fresh, 6)


def test_a_wiped_generator_has_no_cookie(checker: CookieChecker, generator: CookieGenerator) -> None:
    generator.consume_reply(reply_to(checker, message(generator, 0), 0), 0)

    generator.wipe()

    assert message(generator, 1)[-16:] == bytes(16)


# checklist 25
def test_a_source_has_a_burst_of_five_and_twenty_per_second() -> None:
    limiter = RateLimiter()

    assert sum(limiter.allow(SOURCE, 0) for _ in range(50)) == 5
    assert not limiter.allow(SOURCE, 0.049)
    assert limiter.allow(SOURCE, 0.051)
    assert sum(limiter.allow(SOURCE, 0.1 + step / 1000) for step in range(1000)) in (19, 20, 21)


# checklist 25
def test_ports_share_a_bucket_and_addresses_do_not() -> None:
    limiter = RateLimiter()
    for port in range(1, 6):
        assert limiter.allow(Endpoint("192.0.2.1", port), 0)

    assert not limiter.allow(Endpoint("192.0.2.1", 99), 0)
    assert limiter.allow(Endpoint("192.0.2.2", 1), 0)


# checklist 25
def test_ipv6_sources_count_by_their_64() -> None:
    limiter = RateLimiter()
    for number in range(1, 6):
        assert limiter.allow(Endpoint(f"2001:db8::{number}", 1), 0)

    assert not limiter.allow(Endpoint("2001:db8::abcd", 1), 0)
    assert limiter.allow(Endpoint("2001:db8:0:1::1", 1), 0)


def test_idle_sources_are_forgotten() -> None:
    limiter = RateLimiter()
    for number in range(200):
        limiter.allow(Endpoint(f"10.0.0.{number}", 1), 0)

    limiter.allow(SOURCE, 2)

    assert len(limiter) == 1
