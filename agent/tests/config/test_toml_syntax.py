# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""<tunnel>.toml: what is read, and what is refused in which words."""

from __future__ import annotations

import pytest
from support.configs import FULL_CONF, FULL_TOML, full_config, public_key
from wirefleet_agent.config import AgentOptions, ConfigErrors, parse


def errors_of(toml: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse("[Interface]", toml, name="wf0")
    return [str(error) for error in caught.value.errors]


def test_the_whole_vocabulary_is_read() -> None:
    config = full_config()

    assert config.options == AgentOptions(is_forwarding=True, log_level="debug", host="hub-1", role="hub")
    assert [peer.name for peer in config.peers] == ["spoke-1", None]


@pytest.mark.parametrize("text", ["", "# nothing\n", "\ufeff", "schema = 1"])
def test_an_empty_file_is_all_defaults(text: str) -> None:
    assert parse("[Interface]", text, name="wf0").options == AgentOptions()


def test_names_of_strangers_are_ignored() -> None:
    config = parse(FULL_CONF, FULL_TOML + f'"{public_key("stranger")}" = "someone"\n', name="wf0")

    assert config == full_config()


@pytest.mark.parametrize(
    ("toml", "error"),
    [
        ("schema = 2", "wf0.toml:1 schema: unknown schema (write schema = 1)"),
        ("[host]", "wf0.toml schema: unknown schema (write schema = 1)"),
        ("schema = true", "this is true or false (write a whole number)"),
        ("schema = 1\nhots = 1", "wf0.toml:2 hots: unknown key (did you mean host?)"),
        ("schema = 1\nhost = 1", "wf0.toml:2 host: this is a whole number (write a section)"),
        ("schema = 1\n[host]\nnmae = 'x'", "wf0.toml:3 [host] nmae: unknown key (did you mean name?)"),
        ("schema = 1\n[host]\nforwarding = 1", "[host] forwarding: this is a whole number (write true or false)"),
        ("schema = 1\n[host]\nforwarding = 1979-05-27", "this is something else (write true or false)"),
        ("schema = 1\n[host]\nname = ''", "wf0.toml:3 [host] name: a name is printable text"),
        ("schema = 1\n[host]\nname = 'a\tb'", "a name is printable text"),
        ("schema = 1\n[host]\nname = true", "this is true or false (write a text)"),
        ("schema = 1\n[host]\nrole = 'hubb'", "[host] role: 'hubb' is not possible here (did you mean hub?)"),
        ("schema = 1\n[host]\nrole = 7", "this is a whole number (write a text)"),
        ("schema = 1\n[logging]\nlevel = 'loud'", "known here: debug, info, warning, error"),
        ("schema = 1\n[logging]\nlevle = 'info'", "did you mean level?"),
        ("schema = 1\n[lgoging]\nlevel = 'info'", "wf0.toml:2 lgoging: unknown key (did you mean logging?)"),
        ("schema = 1\n[peers]\n'abc' = 'x'", "wf0.toml:3 [peers] abc: a public key is 44 base64"),
        ("schema = 1\npeers = { 'abc' = 'x' }", "wf0.toml [peers] abc: a public key is 44 base64"),
        (f'schema = 1\n[peers]\n"{public_key("a")}" = 1', "wf0.toml:3 [peers]: this is a whole number"),
        ("schema = 1\nnot toml", "wf0.toml:2: not TOML: Expected"),
        ("schema = ", "wf0.toml: not TOML: Invalid value"),
        ("schema = 1\n[host]\n[host]", "wf0.toml:3: not TOML"),
        ("x = " + "[" * 100_000, "wf0.toml: not TOML: not readable"),
        ("x = " + "9" * 5000, "wf0.toml: not TOML: not readable"),
        ("x = { longkey = 1, longkey = 2 }", "not TOML: Duplicate inline table key (...)"),
    ],
)
def test_what_is_wrong_is_named_with_a_hint(toml: str, error: str) -> None:
    errors = errors_of(toml)

    assert any(error in found for found in errors), errors


def test_every_error_is_collected() -> None:
    errors = errors_of("schema = 3\nx = 1\n[host]\ny = 1\nrole = 'z'\n[logging]\nlevel = 0\n[peers]\n'k' = 'n'\n")

    assert len(errors) == 6


def test_an_overlong_text_is_refused_unread() -> None:
    assert "too long" in errors_of("#" * (16 * 1024 * 1024 + 1))[0]
