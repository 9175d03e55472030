# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Rendering is canonical, and no secret is in any text that is not meant to hold it."""

from __future__ import annotations

import dataclasses
import json
import logging
import pickle
import pprint

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.configs import FULL_CONF, SECRETS, full_config, tunnel_configs
from wirefleet_agent.config import (
    InterfaceConfig,
    TunnelConfig,
    parse,
    plan_changes,
    redact_conf,
    render,
    render_redacted,
    render_toml,
)


@given(tunnel_configs())
@settings(deadline=None)
def test_what_is_rendered_is_read_as_the_same(config: TunnelConfig) -> None:
    assert parse(render(config), render_toml(config), name="wf0") == config


def test_rendering_is_canonical() -> None:
    text = render(full_config())

    assert render(parse(text, name="wf0")) == text
    assert text.splitlines()[:5] == [
        "[Interface]",
        f"PrivateKey = {SECRETS[0]}",
        "ListenPort = 51820",
        "FwMark = 0xca6c",
        "Address = 10.86.0.1/24",
    ]


def test_defaults_are_left_out_except_the_mtu() -> None:
    assert render(TunnelConfig("wf0", InterfaceConfig())) == "[Interface]\nMTU = 1420\n"


def test_the_redacted_rendering_differs_in_the_secrets_only() -> None:
    redacted = render_redacted(full_config())

    assert redacted.count("(redacted)") == 2
    for secret in SECRETS:
        redacted = redacted.replace("(redacted)", secret, 1)
    assert redacted == render(full_config())


def test_no_text_of_a_whole_configuration_contains_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    config = full_config()
    changes = plan_changes(None, config)

    logging.getLogger("test").error("config %s %r changes %s", config, config, changes)
    texts = [
        repr(config),
        str(config),
        f"{config}",
        pprint.pformat(config),
        json.dumps(dataclasses.fields(config), default=repr),
        json.dumps(config, default=str),
        json.dumps([config.interface.__dict__, config.peers[0].__dict__], default=str),
        json.dumps([{"op": change.op, "target": change.target} for change in changes]),
        repr(changes),
        render_toml(config),
        render_redacted(config),
        redact_conf(FULL_CONF),
        caplog.text,
    ]

    assert len(caplog.text) > 500
    for secret in SECRETS:
        assert not [text for text in texts if secret[:20] in text]


def test_a_configuration_with_a_secret_is_never_pickled() -> None:
    with pytest.raises(TypeError, match="never serialized"):
        pickle.dumps(full_config())


def test_redacting_keeps_everything_else() -> None:
    expected = FULL_CONF.replace(SECRETS[0], "(redacted)").replace(SECRETS[1], "(redacted)")

    assert redact_conf(FULL_CONF) == expected


@pytest.mark.parametrize(
    "line",
    [
        "PrivateKey={}",
        "privatekey    =\t{}",
        "  PRESHAREDKEY = {}  # {}",
        "Private Key: {}",
        "Private_Key {}",
        "pre-shared-key '{}'",
        "preshared_key=\n  {}",
        "PresharedKey =\n\n\n{}",
        "PrivateKey = {}\rListenPort = 1",
        "PrivateKey = a b c {}",
        "P r i v a t e K e y = {}",
        "Endpoint = x PrivateKey = {}",
        "Endpoint = {} PrivateKey =",
        "# old: {}",
        "# PrivateKey = {}",
        "# the private key is {}",
        "{}",
        "PublicKey = {} {}",
        "Priv\nateKey = {}",
    ],
)
def test_redacting_is_not_deceived_by_malformed_text(line: str) -> None:
    for secret in SECRETS:
        text = redact_conf(f"[Interface]\n{line.replace('{}', secret)}\nMTU = 1420\n")

        assert secret[:20] not in text
        assert text.endswith("\nMTU = 1420\n")


def test_a_short_secret_is_redacted_by_its_name_alone() -> None:
    assert redact_conf("PrivateKey = abc\nPresharedKey =\n x\nMTU = 1") == (
        "PrivateKey = (redacted)\nPresharedKey =\n(redacted)\nMTU = 1"
    )


@pytest.mark.parametrize(
    "comment",
    [
        "# The private key is in the key store of the host, preshared keys are added by the agent.",
        "# the preshared keys (optional) are made by the controller",
    ],
)
def test_a_comment_in_plain_words_stays_readable(comment: str) -> None:
    assert redact_conf(comment) == comment


@pytest.mark.parametrize(
    "comment", ["# PrivateKey = abc", "# private key: abc", "# privatekey ABC def", "#PrivateKey=x"]
)
def test_a_secret_that_is_commented_out_is_redacted(comment: str) -> None:
    assert redact_conf(comment).endswith(" = (redacted)")


def test_public_keys_stay_readable() -> None:
    text = "".join(line + "\n" for line in FULL_CONF.splitlines() if line.startswith("PublicKey"))

    assert text.count("=") >= 4
    assert redact_conf(text) == text
    assert redact_conf("public_key=" + "ab" * 32) == "public_key=" + "ab" * 32


def test_an_empty_secret_at_the_end_hides_no_other_line() -> None:
    assert (
        redact_conf("PrivateKey =\n[Peer]\nAllowedIPs = 10.0.0.0/8") == "PrivateKey =\n[Peer]\nAllowedIPs = 10.0.0.0/8"
    )


@given(st.text())
def test_redacting_takes_any_text_and_keeps_its_lines(text: str) -> None:
    assert redact_conf(text).count("\n") == text.count("\n")


@given(st.integers(0, len(FULL_CONF) - 1), st.characters())
@settings(deadline=None)
def test_redacting_hides_secrets_whatever_one_character_becomes(index: int, character: str) -> None:
    text = redact_conf(FULL_CONF[:index] + character + FULL_CONF[index + 1 :])

    # The half of a key that was broken in two may be too short to be told from a word; most of it never shows.
    for secret in SECRETS:
        assert secret not in text
        assert secret[:22] not in text or secret[22:] not in text
