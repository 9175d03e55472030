# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import sys

import pytest
from wirefleet_agent.errors import DriverError

if sys.platform == "win32":
    import pywintypes
    import win32service
    from wirefleet_agent.host.win32.scm import WindowsServiceManager

pytestmark = pytest.mark.windows_only

ANY_SERVICE = "RpcSs"  # every Windows has it


def test_a_service_without_a_list_of_privileges_is_known_to_get_all_of_its_account(monkeypatch):
    monkeypatch.setattr(win32service, "QueryServiceConfig2", lambda _service, _level: None)

    assert WindowsServiceManager().config(ANY_SERVICE).required_privileges == ()


def test_where_the_system_does_not_tell_nothing_is_known_of_privileges(monkeypatch):
    def refuse(_service, _level):
        raise pywintypes.error(124, "QueryServiceConfig2", "The system call level is not correct.")

    monkeypatch.setattr(win32service, "QueryServiceConfig2", refuse)

    config = WindowsServiceManager().config(ANY_SERVICE)
    assert (config.required_privileges, config.is_delayed) == (None, None)


@pytest.mark.parametrize("code", [1061, 1062])
def test_a_service_that_stops_already_or_has_stopped_needs_no_order(monkeypatch, code):
    asked = []

    def refuse(_service, control):
        asked.append(control)
        raise pywintypes.error(code, "ControlService", "no")

    monkeypatch.setattr(win32service, "ControlService", refuse)

    WindowsServiceManager().stop(ANY_SERVICE)

    assert asked == [win32service.SERVICE_CONTROL_STOP]


def test_any_other_refusal_of_an_order_is_told(monkeypatch):
    def refuse(_service, _control):
        raise pywintypes.error(5, "ControlService", "Access is denied.")

    monkeypatch.setattr(win32service, "ControlService", refuse)

    with pytest.raises(DriverError, match="Access is denied"):
        WindowsServiceManager().stop(ANY_SERVICE)
