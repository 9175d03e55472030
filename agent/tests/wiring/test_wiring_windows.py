# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The graph of Windows, on every platform: it names the bindings, and imports none until it is used."""

from __future__ import annotations

import pytest
from dishka import Provider
from support.windows_service import WindowsHost
from wirefleet_agent.errors import DriverError, InternalError
from wirefleet_agent.host.control_server import ControlServer
from wirefleet_agent.host.graph import render_text
from wirefleet_agent.host.own_release import pinned_wintun
from wirefleet_agent.host.process_windows import TokenApi
from wirefleet_agent.host.service_windows import WindowsService
from wirefleet_agent.host.wiring import COMMON_PROVIDERS, TunnelParts, build_container, is_provided
from wirefleet_agent.host.wiring_windows import WINDOWS

PROVIDERS = (*COMMON_PROVIDERS, *WINDOWS.providers)


def all_sources() -> list[tuple[type[Provider], str]]:
    """Every provider's attributes that provide something."""
    return [
        (provider, name)
        for provider in WINDOWS.providers
        for name, value in vars(provider).items()
        if type(value).__name__ == "CompositeDependencySource"
    ]


def test_the_graph_of_windows_is_valid():
    container = build_container(platform=WINDOWS)

    assert is_provided(container, WindowsService)
    assert is_provided(container, TunnelParts)


@pytest.mark.parametrize("provider", WINDOWS.providers, ids=lambda provider: provider.__name__)
def test_a_missing_group_of_providers_is_found_when_the_container_is_built(provider):
    rest = [each for each in PROVIDERS if each is not provider]

    with pytest.raises(InternalError, match="cannot be put together"):
        build_container(platform=WINDOWS, providers=rest)


@pytest.mark.parametrize(("provider", "name"), all_sources(), ids=lambda value: getattr(value, "__name__", value))
def test_each_single_missing_provider_is_found_when_the_container_is_built(provider, name):
    attributes = {key: value for key, value in vars(provider).items() if key not in (name, "__dict__", "__weakref__")}
    crippled = type(provider.__name__, (Provider,), attributes)
    providers = [crippled if each is provider else each for each in PROVIDERS]

    with pytest.raises(InternalError, match="cannot be put together"):
        build_container(platform=WINDOWS, providers=providers)


def test_the_drivers_stand_behind_their_narrow_interfaces():
    text = render_text(build_container(platform=WINDOWS))

    lines = {line.split("<-")[0].strip(): line.split("<-")[1].strip() for line in text.splitlines() if "<-" in line}
    assert lines["WindowsTun"] == "InterfaceSpec, WintunApi"
    assert lines["WindowsRoutes"] == "WindowsTun, IpHelperApi, TunnelPaths"
    assert lines["UdpDriver"] == "WinsockApi"
    assert lines["ControlListener"] == "Loop, TunnelPaths, PipeApi"
    assert lines["WindowsProcess"] == "TokenApi"


def test_the_service_is_made_of_fakes_only_where_they_are_given(tmp_path):
    host = WindowsHost(tmp_path)

    service = host.build()

    assert host._container.get(TokenApi) is host.token
    assert "restart.spawn" in host._container.get(ControlServer).handlers
    assert service.stop_timeout_s == 30.0
    host.close()


@pytest.mark.linux_only  # the bindings exist on Windows
def test_elsewhere_a_binding_is_a_driver_error_not_an_import_error():
    with pytest.raises(DriverError, match="on Windows only"):
        build_container(platform=WINDOWS).get(TokenApi)


@pytest.mark.parametrize("record", ["{}", "", "[]", '{"other": 1}'])
def test_a_release_that_pins_no_wintun_is_told_by_name(tmp_path, record):
    (tmp_path / "release.json").write_text(record)

    with pytest.raises(DriverError, match=r"does not pin its wintun\.dll"):
        pinned_wintun(tmp_path)


def test_a_release_pins_the_dll_beside_its_record(tmp_path):
    (tmp_path / "release.json").write_text('{"wintun_sha256": "ab"}')

    assert pinned_wintun(tmp_path) == (tmp_path / "wintun.dll", "ab")


def test_what_is_no_release_has_no_wintun(tmp_path):
    with pytest.raises(DriverError, match=r"which wintun\.dll is the right one"):
        pinned_wintun(tmp_path)
