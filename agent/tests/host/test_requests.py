# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from wirefleet_agent.config import parse
from wirefleet_agent.errors import ConfigError, UsageError
from wirefleet_agent.host.conf_text import with_preshared_keys
from wirefleet_agent.host.requests import ConfigRequest, ConfirmRequest, HealthRequest
from wirefleet_agent.keys import PresharedKey, PublicKey

A, B = PublicKey(bytes(range(32))), PublicKey(bytes(range(40, 72)))
PSK = PresharedKey(bytes(range(80, 112)))


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"conf": None},
        {"conf": "", "toml": 1},
        {"conf": "", "confirm_timeout_s": -1},
        {"conf": "", "confirm_timeout_s": True},
        {"conf": "", "confirm_timeout_s": 1.5},
        {"conf": "", "confirm_timeout_s": 86401},
        {"conf": "", "preshared_keys": []},
        {"conf": "", "extra": 1},
        {"conf": "# half a character: \ud800"},
        {"conf": "", "toml": "# \udfff"},
    ],
)
def test_a_config_request_that_does_not_fit_is_a_usage_error(request_):
    with pytest.raises(UsageError):
        ConfigRequest.from_json(request_)


def test_a_confirm_id_is_text_that_can_be_written():
    with pytest.raises(UsageError):
        ConfirmRequest.from_json({"confirm_id": "\ud800"})


def test_a_preshared_key_that_is_none_is_named_but_not_quoted():
    with pytest.raises(ConfigError) as caught:
        ConfigRequest.from_json({"conf": "", "preshared_keys": {str(A): "not-a-key-but-secret"}})

    assert "not-a-key" not in str(caught.value)
    assert str(A) in str(caught.value)


def test_a_preshared_key_for_what_is_no_public_key_is_refused():
    with pytest.raises(ConfigError):
        ConfigRequest.from_json({"conf": "", "preshared_keys": {"hub-1": PSK.reveal_base64()}})


def test_a_request_shows_no_secret():
    request = ConfigRequest.from_json({"conf": "PrivateKey = x", "preshared_keys": {str(A): PSK.reveal_base64()}})

    assert PSK.reveal_base64() not in repr(request)
    assert "PrivateKey" not in repr(request)
    assert "abc" not in repr(ConfirmRequest.from_json({"confirm_id": "abc"}))


@pytest.mark.parametrize(
    "request_",
    [{"peers": "x"}, {"max_handshake_age_s": 0}, {"max_handshake_age_s": "1"}, {"max_handshake_age_s": True}],
)
def test_a_health_request_that_does_not_fit_is_a_usage_error(request_):
    with pytest.raises(UsageError):
        HealthRequest.from_json(request_)


def test_a_health_request_names_peers_by_key():
    assert HealthRequest.from_json({}).peers is None
    assert HealthRequest.from_json({"peers": [str(A)]}).peers == (str(A),)
    with pytest.raises(ConfigError):
        HealthRequest.from_json({"peers": ["hub-1"]})


CONF = f"""# kept
[Interface]
ListenPort = 1  # kept too

[peer]
publickey={A}   # first
AllowedIPs = 10.0.0.1/32
[Peer]
AllowedIPs = 10.0.0.2/32
PublicKey = {B}"""


def test_preshared_keys_are_put_into_the_text_and_all_else_stays():
    text = with_preshared_keys(CONF, {A: PSK, B: PSK})

    peers = parse(text, name="wf0").peers
    assert [peer.preshared_key for peer in peers] == [PSK, PSK]
    without = [line for line in text.splitlines() if "PresharedKey" not in line]
    assert without == CONF.splitlines()


def test_a_preshared_key_that_is_there_already_is_not_written_twice():
    once = with_preshared_keys(CONF, {A: PSK})

    assert with_preshared_keys(once, {A: PSK}) == once
    assert with_preshared_keys(CONF, {}) == CONF
    assert with_preshared_keys(CONF, {A: PresharedKey(bytes(32))}) == CONF
