# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.reconnect import (
    LONGEST_PAUSE_S,
    ConnectionLost,
    is_connection_error,
    once,
    until_back,
)
from requests.exceptions import ConnectionError as RequestsConnectionError
from winrm.exceptions import WinRMTransportError


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pauses: list[float] = []

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now_s += seconds


def raising(error):
    raise error


@pytest.fixture
def clock():
    return Time()


def back(clock, outcomes, *, timeout_s=120.0, is_lost=False):
    """until_back of a call with these outcomes; returns its outcome, the number of resets and what was said."""
    said, resets = [], []

    def call():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    result = until_back(
        call,
        lambda: resets.append(1),
        timeout_s=timeout_s,
        progress=said.append,
        is_lost=is_lost,
        now=clock.now,
        sleep=clock.sleep,
    )
    return result, len(resets), said


def of_pypsrp(name):
    """An error of the library behind the connection plugin psrp, which is not installed everywhere."""
    return type(name, (Exception,), {"__module__": "pypsrp.exceptions"})("gone")


@pytest.mark.parametrize(
    "error",
    [
        of_pypsrp("WinRMTransportError"),
        of_pypsrp("WSManFaultError"),
        AnsibleConnectionFailure("gone"),
        RequestsConnectionError("reset by peer"),
        WinRMTransportError("http", 500, ""),
        ConnectionResetError("x"),
        AnsibleError("winrm send_input failed; \nstdout: "),
        AnsibleError("the connection attempt timed out"),
    ],
)
def test_errors_of_connection_plugins_mean_that_the_host_is_not_there(error):
    assert is_connection_error(error)
    with pytest.raises(ConnectionLost):
        once(lambda: raising(error))


@pytest.mark.parametrize(
    "error",
    [
        AnsibleError("the role is not there"),
        ValueError("x"),
        AnsibleAuthenticationFailure("no"),
        AnsibleConnectionFailure("basic: the specified credentials were rejected by the server"),
    ],
)
def test_other_errors_pass_through_and_no_password_is_tried_twice(error):
    assert not is_connection_error(error)
    with pytest.raises(type(error)):
        once(lambda: raising(error))


def test_call_that_works_needs_no_second_connection(clock):
    assert back(clock, ["fine"]) == ("fine", 0, [])


def test_lost_call_is_made_again_over_new_connections(clock):
    lost = AnsibleConnectionFailure("gone")

    result, resets, said = back(clock, [lost, lost, lost, "fine"])

    assert (result, resets) == ("fine", 3)
    assert clock.pauses == [1.0, 2.0, 4.0]
    assert "gone" in said[0]


def test_connection_that_is_known_to_be_broken_is_not_asked_again(clock):
    assert back(clock, ["fine"], is_lost=True) == ("fine", 1, [])


def test_pauses_grow_to_a_limit_and_the_host_is_unreachable_at_the_end(clock):
    lost = [AnsibleConnectionFailure(f"gone {n}") for n in range(50)]

    with pytest.raises(AnsibleConnectionFailure, match="gone"):
        back(clock, lost, timeout_s=100.0)

    assert max(clock.pauses) == LONGEST_PAUSE_S
    assert clock.now_s <= 100.0


def test_error_after_the_way_back_is_not_tried_again(clock):
    with pytest.raises(ValueError):
        back(clock, [AnsibleConnectionFailure("gone"), ValueError("x"), "never"])
