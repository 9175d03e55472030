# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The cycle collector stays out of large changes, and nothing is lost to it for ever."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest
from support.tunnels import TunnelPair
from wirefleet_agent.control.uapi import SetRequest
from wirefleet_agent.engine import making_peers
from wirefleet_agent.engine.uapi_answers import UapiAnswers


@pytest.fixture(autouse=True)
def nothing_is_frozen() -> Iterator[None]:
    yield
    gc.unfreeze()
    assert gc.isenabled()


class Knot:
    """Refers to itself: only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


def test_it_waits_while_many_peers_are_made_and_leaves_them_alone_afterwards() -> None:
    with making_peers(10_000):
        assert not gc.isenabled()

    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_a_few_peers_are_not_worth_the_trouble() -> None:
    with making_peers(3):
        assert gc.isenabled()

    assert gc.get_freeze_count() == 0


def test_an_error_gives_it_back() -> None:
    with pytest.raises(ValueError), making_peers(10_000):
        raise ValueError

    assert gc.isenabled()


def test_one_change_inside_another_is_the_same_change() -> None:
    with making_peers(10_000):
        with making_peers(10_000):
            pass
        assert not gc.isenabled()


def test_garbage_of_one_change_is_collected_with_the_next() -> None:
    with making_peers(10_000):
        knot = weakref.ref(Knot())

    with making_peers(10_000):
        assert knot() is None


def test_the_end_of_a_tunnel_lets_go_of_everything(pair: TunnelPair) -> None:
    with making_peers(10_000):
        pass

    pair.left.tunnel.stop()

    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize(("peers", "prefixes"), [(1200, 0), (1, 1200)])
def test_a_set_of_many_peers_or_prefixes_is_left_alone(pair: TunnelPair, peers: int, prefixes: int) -> None:
    body = b"".join(b"public_key=%064x\n" % (number + 9) for number in range(peers))
    body += b"".join(b"allowed_ip=10.9.%d.%d/32\n" % (number >> 8, number & 255) for number in range(prefixes))
    answers = UapiAnswers(pair.loop, pair.left.tunnel, pair.left.applier)

    assert list(answers.answer(SetRequest(body))) == [b"errno=0\n\n"]

    assert gc.get_freeze_count() > 0


def test_a_set_of_many_peers_leaves_no_garbage_behind(pair: TunnelPair) -> None:
    """What the collector does not look at must not need it: the keys of a set would stay in memory."""
    answers = UapiAnswers(pair.loop, pair.left.tunnel, pair.left.applier)
    body = b"".join(b"public_key=%064x\nallowed_ip=10.9.%d.%d/32\n" % (n + 9, n >> 8, n & 255) for n in range(600))
    list(answers.answer(SetRequest(b"fwmark=7\n")))
    gc.collect()
    gc.disable()
    try:
        list(answers.answer(SetRequest(body)))
        assert gc.collect() < 20
    finally:
        gc.enable()

    assert len(pair.left.device.peers) == 601
