# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Probes over a hub, and the order in which hubs are told of a switch."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from wirefleet_agent.ha.hub_routes import Word
from wirefleet_agent.ha.probes import Probes
from wirefleet_agent.ha.word import OwnWord
from wirefleet_agent.keys import PublicKey

H, F, G = (PublicKey(bytes([number]) * 32) for number in (1, 2, 3))


def run(
    probes: Probes,
    start: float,
    seconds: float,
    *,
    answering: Collection[PublicKey] = (F, G),
    alive: tuple[PublicKey, ...] = (F, G),
    rtt_s: float = 0.05,
) -> float | None:
    """Probe over H; only probes to ``answering`` are answered. When H turned out to be broken, seconds after start."""
    waiting: list[tuple[float, PublicKey, int]] = []
    for tick in range(round(seconds / 0.05)):
        now = start + tick * 0.05
        while waiting and waiting[0][0] <= now + 1e-9:
            _, target, sequence = waiting.pop(0)
            probes.reply(target, sequence)
        if probes.check(H, alive, now):
            return now - start
        probe = probes.next_probe(H, alive, now)
        if probe is not None and probe.target in answering:
            waiting.append((now + rtt_s, probe.target, probe.sequence))
    return None


@pytest.fixture
def probes() -> Probes:
    return Probes(0.5, 3)


def test_a_hub_that_forwards_is_never_broken(probes: Probes) -> None:
    assert run(probes, 0.0, 120.0) is None


def test_a_hub_that_stops_to_forward_is_found_within_four_seconds(probes: Probes) -> None:
    run(probes, 0.0, 10.0)

    found = run(probes, 10.0, 20.0, answering=())

    assert found is not None
    assert 2.0 <= found <= 3.6
    assert H in probes.broken


def test_a_cut_between_two_hubs_is_not_the_hubs_fault(probes: Probes) -> None:
    assert run(probes, 0.0, 120.0, answering=(F,)) is None


def test_with_one_other_hub_there_is_no_verdict(probes: Probes) -> None:
    assert run(probes, 0.0, 60.0, answering=(), alive=(F,)) is None


def test_targets_that_died_meanwhile_prove_nothing(probes: Probes) -> None:
    run(probes, 0.0, 1.5, answering=())

    assert not probes.check(H, {F}, 10.0)
    assert not probes.check(H, set(), 10.0)


def test_slow_answers_count(probes: Probes) -> None:
    assert run(probes, 0.0, 60.0, rtt_s=2.0) is None


def test_one_answer_ends_it(probes: Probes) -> None:
    run(probes, 0.0, 20.0, answering=())
    assert H in probes.broken

    run(probes, 20.0, 3.0)

    assert H not in probes.broken


def test_an_answer_from_somewhere_else_or_to_nothing_proves_nothing(probes: Probes) -> None:
    probe = probes.next_probe(H, (F, G), 0.0)
    assert probe is not None
    other = F if probe.target == G else G

    assert probes.reply(other, probe.sequence) is None
    assert probes.reply(probe.target, probe.sequence + 1) is None
    assert probes.reply(probe.target, probe.sequence) == H
    assert probes.reply(probe.target, probe.sequence) is None


def test_targets_take_turns(probes: Probes) -> None:
    targets = [probe.target for number in range(10) if (probe := probes.next_probe(H, (F, G), 10.0 * number))]

    assert sorted(targets) == sorted([F, G] * 5)


def test_a_new_verdict_needs_new_probes_after_a_switch(probes: Probes) -> None:
    run(probes, 0.0, 20.0, answering=())
    probes.forget(H)

    assert H not in probes.broken
    assert not probes.check(H, (F, G), 30.0)


def test_the_new_hub_is_told_first_and_the_others_when_it_has_answered() -> None:
    word = OwnWord(H, 41, 1.5)
    word.switch(G, 10.0)

    assert word.for_member(G, 7, 10.0) == Word(G, 42)
    assert word.for_member(F, 3, 10.0) == word.for_member(H, 9, 10.0) == Word(H, 41)
    assert not word.answered(G, 6)
    assert not word.answered(F, 7)
    assert word.answered(G, 7)
    assert word.for_member(F, 4, 10.1) == Word(G, 42)
    assert word.is_confirmed


def test_without_an_answer_the_others_are_told_when_it_counts_as_down() -> None:
    word = OwnWord(H, 41, 1.5)
    word.switch(G, 10.0)

    assert word.for_member(F, 3, 11.49) == Word(H, 41)
    assert word.for_member(F, 4, 11.5) == Word(G, 42)


def test_the_count_wraps_around() -> None:
    word = OwnWord(H, 2**32 - 1, 1.5)
    word.switch(G, 10.0)

    assert word.switch_count == 0
