# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import sys

import pytest

if sys.platform == "win32":
    from wirefleet_agent.host.win32 import host_settings

pytestmark = pytest.mark.windows_only


@pytest.mark.parametrize(
    ("hiberboot", "hibernate", "is_on"),
    [(1, 1, True), (1, 0, False), (1, None, True), (0, 1, False), (None, 1, None)],
)
def test_fast_startup_is_on_only_where_the_host_can_hibernate(monkeypatch, hiberboot, hibernate, is_on):
    values = {"HiberbootEnabled": hiberboot, "HibernateEnabled": hibernate}
    monkeypatch.setattr(host_settings, "_value", lambda _path, name: values[name])

    assert host_settings.is_fast_startup_on() is is_on
