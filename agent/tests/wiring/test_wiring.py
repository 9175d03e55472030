# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import inspect
import re
import sys

import pytest
from dishka import Provider, provide
from support.memory_host import MemoryHost
from wirefleet_agent.engine import Tunnel
from wirefleet_agent.errors import InternalError
from wirefleet_agent.host import wiring
from wirefleet_agent.host.graph import render_mermaid, render_text
from wirefleet_agent.host.live_tunnel import InterfaceSpec
from wirefleet_agent.host.wiring import (
    COMMON_PROVIDERS,
    HostScope,
    TunnelParts,
    build_container,
    is_provided,
    open_service,
    this_platform,
)
from wirefleet_agent.observe import Logs

if sys.platform != "win32":
    from wirefleet_agent.host import wiring_linux
    from wirefleet_agent.host.service_linux import LinuxService
    from wirefleet_agent.host.wiring_linux import LinuxProvider

pytestmark = pytest.mark.linux_only  # test_wiring_windows.py has the other one
PROVIDERS = (*COMMON_PROVIDERS, *this_platform().providers)


def all_sources() -> list[tuple[type[Provider], str]]:
    """Every provider's attributes that provide something."""
    return [
        (provider, name)
        for provider in PROVIDERS
        for name, value in vars(provider).items()
        if type(value).__name__ == "CompositeDependencySource"
    ]


def test_the_real_graph_is_valid():
    container = build_container()

    assert is_provided(container, LinuxService)
    assert is_provided(container, TunnelParts)


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.__name__)
def test_a_missing_group_of_providers_is_found_when_the_container_is_built(provider):
    rest = [each for each in PROVIDERS if each is not provider]

    with pytest.raises(InternalError, match="cannot be put together"):
        build_container(providers=rest)


@pytest.mark.parametrize(("provider", "name"), all_sources(), ids=lambda value: getattr(value, "__name__", value))
def test_each_single_missing_provider_is_found_when_the_container_is_built(provider, name):
    attributes = {key: value for key, value in vars(provider).items() if key not in (name, "__dict__", "__weakref__")}
    crippled = type(provider.__name__, (Provider,), attributes)
    providers = [crippled if each is provider else each for each in PROVIDERS]

    with pytest.raises(InternalError, match="cannot be put together"):
        build_container(providers=providers)


def test_the_error_names_what_is_missing_and_who_wants_it():
    with pytest.raises(InternalError, match="TunDriver") as caught:
        build_container(providers=[each for each in PROVIDERS if each is not LinuxProvider])

    assert "TunnelProvider.tunnel" in str(caught.value)


def test_nothing_is_made_while_the_graph_is_validated():
    made = []

    class Recording(Provider):
        scope = HostScope.DAEMON

        @provide
        def service(self) -> LinuxService:
            made.append(1)
            raise AssertionError

    build_container(Recording())

    assert made == []


def test_the_text_names_every_part_and_its_needs():
    text = render_text(build_container())

    lines = {line.split("<-")[0].strip(): line.split("<-")[1].strip() for line in text.splitlines() if "<-" in line}
    assert lines["Tunnel"] == "Loop, Device, TunDriver, UdpDriver, RoutesDriver, UnderlayMonitor"
    assert lines["TunnelPaths"] == "given from outside"
    assert lines["Device"] == "Entropy, Tai64nClock"
    assert {"DAEMON:", "TUNNEL:"} <= set(text.splitlines())
    assert "Callable" not in text


def test_the_mermaid_chart_draws_each_arrow_between_known_boxes():
    chart = render_mermaid(build_container())

    boxes = set(re.findall(r"^    (n\d+)[\[(]", chart, re.MULTILINE))
    arrows = re.findall(r"^  (n\d+) --> (n\d+)$", chart, re.MULTILINE)
    assert len(boxes) > 25
    assert len(arrows) > 40
    assert {end for arrow in arrows for end in arrow} <= boxes


def test_the_service_is_made_of_what_the_graph_says_and_closed_after_use(tmp_path):
    host = MemoryHost(tmp_path)

    with open_service(host.paths, Logs()) as service:
        assert isinstance(service, LinuxService)
        loop = service._loop
        loop.run_once(0)

    assert loop._is_closed


def test_each_interface_has_a_scope_of_its_own(tmp_path):
    host = MemoryHost(tmp_path)
    host.start()
    with host.container(context={InterfaceSpec: InterfaceSpec("wf0", 1420)}) as first:
        one = first.get(Tunnel)
    with host.container(context={InterfaceSpec: InterfaceSpec("wf0", 1420)}) as second:
        two = second.get(Tunnel)

    assert one is not two
    host.crash()


def test_only_the_wiring_of_a_platform_names_its_drivers():
    source = inspect.getsource(wiring)

    assert "LinuxTun" in inspect.getsource(wiring_linux)
    assert not re.search(r"(Linux|Windows)(Tun|Udp|Routes|Service)", source)
