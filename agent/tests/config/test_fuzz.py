# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Whatever the text, parsing ends with a configuration or with a ConfigError that holds no secret."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.configs import FULL_CONF, FULL_TOML, GATEWAY_CONF, GATEWAY_TOML, SECRETS, SITE_CONF, SITE_TOML
from wirefleet_agent.config import TunnelConfig, parse
from wirefleet_agent.errors import ConfigError

_FRAGMENTS = [secret[start : start + 16] for secret in SECRETS for start in range(0, 28, 4)]


def outcome(conf: str, toml: str = "") -> TunnelConfig | str:
    try:
        return parse(conf, toml, name="wf0")
    except ConfigError as error:
        return str(error) + repr(error.as_dict())


def assert_typed_and_silent(conf: str, toml: str = "") -> None:
    result = outcome(conf, toml)
    if isinstance(result, str):
        assert not [fragment for fragment in _FRAGMENTS if fragment in result], result


def test_every_truncation_of_the_conf_is_typed_and_silent() -> None:
    for end in range(len(FULL_CONF)):
        assert_typed_and_silent(FULL_CONF[:end])


def test_every_truncation_of_the_toml_is_typed() -> None:
    for end in range(len(FULL_TOML)):
        assert_typed_and_silent(FULL_CONF, FULL_TOML[:end])


def test_flipped_characters_are_typed_and_silent() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for index in range(len(FULL_CONF)):
        character = rng.choice("\n\0=#[], /:\tA9é\u2028")
        flipped = chr(ord(FULL_CONF[index]) ^ (1 << rng.randrange(7)))
        assert_typed_and_silent(FULL_CONF[:index] + character + FULL_CONF[index + 1 :])
        assert_typed_and_silent(FULL_CONF[:index] + flipped + FULL_CONF[index + 1 :])


def test_flipped_characters_of_the_toml_are_typed() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for index in range(len(FULL_TOML)):
        flipped = chr(ord(FULL_TOML[index]) ^ (1 << rng.randrange(7)))
        assert_typed_and_silent(FULL_CONF, FULL_TOML[:index] + flipped + FULL_TOML[index + 1 :])


@pytest.mark.parametrize(("conf", "toml"), [(SITE_CONF, SITE_TOML), (GATEWAY_CONF, GATEWAY_TOML)])
def test_what_is_cut_off_or_flipped_of_a_site_is_typed(conf: str, toml: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for index in range(len(toml)):
        outcome(conf, toml[:index])
        flipped = chr(ord(toml[index]) ^ (1 << rng.randrange(7)))
        outcome(conf, toml[:index] + flipped + toml[index + 1 :])


@given(st.text(), st.text())
@settings(deadline=None)
def test_any_text_is_typed(conf: str, toml: str) -> None:
    outcome(conf, toml)


_words = st.sampled_from(
    [*FULL_CONF.split(), "\n", "=", ",", "[", "]", "#", "\r", "off", "-1", "999999999999", "[Peer]"]
)


@given(st.lists(_words | st.text(max_size=3)).map(" ".join))
@settings(deadline=None)
def test_shuffled_words_are_typed(text: str) -> None:
    assert_typed_and_silent("[Interface]\n" + text)
