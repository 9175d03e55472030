# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""[metrics] of <tunnel>.toml: off unless it is there, and never any other address than two kinds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from wirefleet_agent.config import (
    AgentOptions,
    ConfigErrors,
    MetricsOptions,
    TunnelConfig,
    parse,
    plan_changes,
)


def options_of(section: str) -> MetricsOptions | None:
    return parse("[Interface]", f"schema = 1\n{section}", name="wf0").options.metrics


@pytest.mark.parametrize("section", ["", "[host]\nname = 'a'\n"])
def test_without_the_section_there_are_no_metrics(section: str) -> None:
    assert options_of(section) is None


def test_the_defaults() -> None:
    found = options_of("[metrics]\nlisten = 'overlay'\n")

    assert found == MetricsOptions(("overlay",), port=19586, is_per_peer=True, shows_endpoints=False)


def test_everything_that_can_be_said() -> None:
    found = options_of("[metrics]\nlisten = ['loopback', 'overlay']\nport = 9100\nper_peer = false\nendpoints = true\n")

    assert found == MetricsOptions(("overlay", "loopback"), 9100, is_per_peer=False, shows_endpoints=True)


@pytest.mark.parametrize(
    ("section", "error"),
    [
        ("metrics = 1", "wf0.toml:2 metrics: this is a whole number (write a section)"),
        ("[metrics]", "[metrics] listen: where to listen is missing"),
        ("[metrics]\nlisten = []", "wf0.toml:3 [metrics] listen: this is no place to listen"),
        ("[metrics]\nlisten = 1", "this is no place to listen"),
        ("[metrics]\nlisten = ['overlay', 1]", "this is no place to listen"),
        ("[metrics]\nlisten = [['overlay']]", "this is no place to listen"),
        ("[metrics]\nlisten = '0.0.0.0'", "'0.0.0.0' is not possible here: no other address ever listens"),
        ("[metrics]\nlisten = ['overlay', '10.0.0.1']", "'10.0.0.1' is not possible here"),
        ("[metrics]\nlisten = ['overlay', 'overlay']", "a place stands here twice"),
        ("[metrics]\nlisten = 'overlay'\nport = 0", "wf0.toml:4 [metrics] port: a port is a whole number"),
        ("[metrics]\nlisten = 'overlay'\nport = 65536", "a port is a whole number from 1 to 65535"),
        ("[metrics]\nlisten = 'overlay'\nport = true", "a port is a whole number from 1 to 65535"),
        ("[metrics]\nlisten = 'overlay'\nport = '9586'", "a port is a whole number from 1 to 65535"),
        ("[metrics]\nlisten = 'overlay'\nper_peer = 1", "[metrics] per_peer: this is not true or false"),
        ("[metrics]\nlisten = 'overlay'\nendpoints = 'yes'", "[metrics] endpoints: this is not true or false"),
        ("[metrics]\nlisten = 'overlay'\nprot = 1", "wf0.toml:4 [metrics] prot: unknown key (did you mean port?)"),
    ],
)
def test_what_is_wrong_is_named_with_a_hint(section: str, error: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        options_of(section)

    assert error in str(caught.value)


def test_a_change_of_the_metrics_is_a_change_that_touches_no_packet() -> None:
    off = TunnelConfig("wf0")
    on = replace(off, options=AgentOptions(metrics=MetricsOptions(("overlay", "loopback"))))

    switched_on, switched_off = plan_changes(off, on), plan_changes(on, off)

    assert [(change.op, change.target) for change in switched_on] == [
        ("set_metrics", "overlay and loopback port 19586")
    ]
    assert [(change.op, change.target) for change in switched_off] == [("set_metrics", "off")]
    assert plan_changes(on, on) == ()
