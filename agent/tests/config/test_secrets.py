# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Secrets that do not stand in the file: the key store's key, and preshared keys that come beside it."""

from __future__ import annotations

import pytest
from support.configs import interface, peer, preshared_key, private_key, public_key, tunnel
from wirefleet_agent.config import PeerConfig, with_secrets
from wirefleet_agent.crypto import public_key_of
from wirefleet_agent.errors import ConfigError
from wirefleet_agent.keys import PresharedKey


def test_secrets_are_filled_in() -> None:
    config = with_secrets(
        tunnel(peer("a"), peer("b")),
        private_key=private_key("own"),
        preshared_keys={public_key("b"): preshared_key("b")},
    )

    assert config.interface.private_key == private_key("own")
    assert [each.preshared_key for each in config.peers] == [None, preshared_key("b")]


def test_nothing_given_changes_nothing() -> None:
    config = tunnel(peer("a", preshared_key=preshared_key("a")), on=interface(private_key=private_key("own")))

    assert with_secrets(config) == config
    assert with_secrets(config, preshared_keys={public_key("a"): PresharedKey(bytes(32))}) == config


def test_the_same_secret_in_both_places_is_fine() -> None:
    config = tunnel(peer("a", preshared_key=preshared_key("a")), on=interface(private_key=private_key("own")))

    same = with_secrets(config, private_key=private_key("own"), preshared_keys={public_key("a"): preshared_key("a")})

    assert same == config


def test_two_different_secrets_for_one_thing_are_refused() -> None:
    config = tunnel(peer("a", preshared_key=preshared_key("a")), on=interface(private_key=private_key("own")))

    with pytest.raises(ConfigError, match="differs from the key store's"):
        with_secrets(config, private_key=private_key("other"))
    with pytest.raises(ConfigError, match="two different preshared keys"):
        with_secrets(config, preshared_keys={public_key("a"): preshared_key("other")})


def test_a_preshared_key_without_its_peer_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown peer"):
        with_secrets(tunnel(peer("a")), preshared_keys={public_key("b"): preshared_key("b")})


def test_a_host_that_turns_out_to_be_its_own_peer_is_refused() -> None:
    own = private_key("own")

    with pytest.raises(ConfigError, match="own public key"):
        with_secrets(tunnel(PeerConfig(public_key_of(own))), private_key=own)
