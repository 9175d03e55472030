# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the inventory's values to checked ones. Nothing raises: problems are collected."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

from ..key_text import check_public_key
from ..problems import Problems
from ._failover import (
    DEFAULT_HOLD_S,
    DEFAULT_POLICY,
    HEARTBEAT_HINT,
    MAX_HOLD_S,
    POLICIES,
    PRESETS,
    Heartbeat,
    Policy,
    parse_heartbeat,
)
from ._model import (
    DEFAULT_KEEPALIVE_S,
    DEFAULT_MTU_BYTES,
    DEFAULT_PLATFORM,
    DEFAULT_PORT,
    DEFAULT_REGION,
    DEFAULT_SITE_PRIORITY,
    DEFAULT_TUNNEL,
    DEFAULT_WEIGHT,
    FLEET_VARIABLES,
    PLATFORMS,
    Endpoint,
    Host,
    PlanRequest,
    Role,
)
from ._names import is_dns_name, is_linux_tunnel_name, is_region_name, is_windows_tunnel_name
from ._networks import Network, is_unusable, parse_address, parse_network

T = TypeVar("T")

# By platform: what may be the tunnel's name, and how an operator is told.
_TUNNEL_RULES: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "linux": (is_linux_tunnel_name, "an interface name of Linux (at most 15 of A-Z a-z 0-9 _=+.-)"),
    "windows": (
        is_windows_tunnel_name,
        "a tunnel's name on Windows (at most 32 letters and digits of any script, and _=+.-; no device such as CON)",
    ),
}

MIN_MTU_BYTES = 1280
MAX_MTU_BYTES = 65455  # 65535 less the outer IPv6 and UDP headers and WireGuard's own 32 bytes
_VARIABLE = "wirefleet_"


def parse_endpoint(text: str, default_port: int) -> Endpoint:
    """``192.0.2.1``, ``192.0.2.1:51820``, ``[2001:db8::1]:51820``, ``2001:db8::1`` or a DNS name. Raises ValueError."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is not an endpoint; write [address]:port")
        port_text = rest[1:] if rest else str(default_port)
    elif text.count(":") > 1:
        host, port_text = text, str(default_port)
    else:
        host, colon, port_text = text.partition(":")
        port_text = port_text if colon else str(default_port)
    if not (port_text.isascii() and port_text.isdecimal() and 1 <= int(port_text) <= 65535):
        raise ValueError(f"{text!r} is not an endpoint; a port is a number from 1 to 65535")
    if is_dns_name(host):
        return Endpoint(host.lower(), int(port_text), None)
    try:
        address = parse_address(host)
    except ValueError:
        raise ValueError(f"{text!r} is not an endpoint; write address, name, address:port or name:port") from None
    if is_unusable(Network(address.version, address.value, 32 if address.version == 4 else 128)):
        raise ValueError(f"{text!r} is not an endpoint; no other host reaches this address")
    return Endpoint(str(address), int(port_text), address)


def parse_network_of_hosts(text: str) -> Network:
    """A network that hosts can live in. Raises ValueError."""
    network = parse_network(text)
    if is_unusable(network):
        raise ValueError(f"{text!r} is not a network that hosts live in")
    return network


class ValueReader:
    """Reads one host's (or the fleet's) values; an option of the task wins over the variable of the same name."""

    def __init__(
        self, problems: Problems, variables: Mapping[str, object], options: Mapping[str, object], hosts: Sequence[str]
    ) -> None:
        self._problems = problems
        self._variables = variables
        self._options = options
        self._hosts = hosts

    def _find(self, name: str) -> tuple[object, str]:
        """The value (None: not given) and the path under which an operator knows it."""
        if self._options.get(name) is not None:
            return self._options[name], name
        path = _VARIABLE + name
        return self._variables.get(path), path

    def _complain(self, message: str, path: str, hint: str | None = None) -> None:
        self._problems.add(message, hosts=self._hosts, path=path, hint=hint)

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value, path = self._find(name)
        if value is None:
            return default
        number = value if isinstance(value, int) and not isinstance(value, bool) else None
        if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal():
            number = int(value)
        if number is None or not low <= number <= high:
            self._complain(f"{_shown(value)} is not a number from {low} to {high}", path)
            return default
        return number

    def boolean(self, name: str, default: bool) -> bool:
        value, path = self._find(name)
        if value is None:
            return default
        text = str(value).strip().lower()
        if text not in ("true", "yes", "on", "1", "false", "no", "off", "0"):
            self._complain(f"{_shown(value)} is neither true nor false", path)
        return text in ("true", "yes", "on", "1")

    def heartbeat(self) -> Heartbeat:
        value, path = self._find("heartbeat")
        if value is None:
            return PRESETS["normal"]
        try:
            return parse_heartbeat(value)
        except ValueError as error:
            self._complain(str(error), path, HEARTBEAT_HINT)
            return PRESETS["normal"]

    def name(self, name: str, default: str, is_valid: Callable[[str], bool], what: str) -> str:
        value, path = self._find(name)
        if value is None:
            return default
        if not isinstance(value, str) or not is_valid(value):
            self._complain(f"{_shown(value)} is not {what}", path)
            return default
        return value

    def parsed(self, name: str, parse: Callable[[str], T]) -> T | None:
        """One optional text; an empty one counts as not given."""
        value, path = self._find(name)
        if value is None or value == "":
            return None
        items = self._parse_each([value], path, parse)
        return items[0] if items else None

    def parsed_list(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """A list of texts, or one text with commas. Unreadable items are left out once they are reported."""
        value, path = self._find(name)
        if value is None:
            return ()
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not isinstance(value, (list, tuple)):
            self._complain(f"{_shown(value)} is not a list", path)
            return ()
        return tuple(dict.fromkeys(self._parse_each(value, path, parse)))

    def _parse_each(self, values: Sequence[object], path: str, parse: Callable[[str], T]) -> list[T]:
        parsed: list[T] = []
        for value in values:
            if not isinstance(value, str):
                self._complain(f"{_shown(value)} is not a text", path)
                continue
            try:
                parsed.append(parse(value))
            except ValueError as error:
                self._complain(str(error), path)
        return parsed


def read_host(name: str, role: Role, request: PlanRequest, problems: Problems) -> Host:
    """One host, with defaults in the place of values that are wrong (and reported)."""
    read = ValueReader(problems, request.variables.get(name, {}), request.options, (name,))
    only_variables = ValueReader(problems, request.variables.get(name, {}), {}, (name,))
    port = read.integer("port", DEFAULT_PORT, 1, 65535)
    platform = only_variables.name("platform", DEFAULT_PLATFORM, PLATFORMS.__contains__, "linux or windows")
    is_tunnel_name, tunnel_rule = _TUNNEL_RULES[platform]
    return Host(
        name=name,
        role=role,
        region=only_variables.name("region", DEFAULT_REGION, is_region_name, "a region's name"),
        endpoint=only_variables.parsed("endpoint", lambda text: parse_endpoint(text, port)),
        site_prefixes=tuple(sorted(only_variables.parsed_list("site_prefixes", parse_network_of_hosts))),
        weight=only_variables.integer("weight", DEFAULT_WEIGHT, 0, 10000),
        fixed_addresses=tuple(sorted(only_variables.parsed_list("addresses", parse_address))),
        tunnel=read.name("tunnel", DEFAULT_TUNNEL, is_tunnel_name, tunnel_rule),
        port=port,
        mtu_bytes=read.integer("mtu", DEFAULT_MTU_BYTES, MIN_MTU_BYTES, MAX_MTU_BYTES),
        keepalive_s=read.integer("keepalive", DEFAULT_KEEPALIVE_S, 0, 65535),
        public_key=_read_public_key(name, request, problems),
        has_agent=only_variables.boolean("agent", True),
        policy=cast(
            Policy, only_variables.name("failover_policy", DEFAULT_POLICY, POLICIES.__contains__, " or ".join(POLICIES))
        ),
        hold_s=only_variables.integer("failover_hold", DEFAULT_HOLD_S, 0, MAX_HOLD_S),
        site_priority=only_variables.integer("site_priority", DEFAULT_SITE_PRIORITY, 0, 10000),
    )


def _read_public_key(name: str, request: PlanRequest, problems: Problems) -> str | None:
    """From the task's public_keys, else from the host's variable; the lock file's comes later."""
    for source, path in (
        (request.public_keys.get(name), "public_keys"),
        (request.variables.get(name, {}).get(_VARIABLE + "public_key"), _VARIABLE + "public_key"),
    ):
        if source is None or source == "":
            continue
        try:
            return check_public_key(str(source))
        except ValueError as error:
            problems.add(str(error), hosts=(name,), path=path, hint="see wirefleet-agent key show")
            return None
    return None


def fleet_variables(names: Sequence[str], request: PlanRequest, problems: Problems) -> dict[str, object]:
    """The fleet-wide variables, on which all hosts that set them must agree."""
    agreed: dict[str, object] = {}
    for variable in FLEET_VARIABLES:
        path = _VARIABLE + variable
        if request.options.get(variable) is not None:
            continue
        seen: dict[str, tuple[object, list[str]]] = {}
        for name in names:
            value = request.variables.get(name, {}).get(path)
            if value is not None:
                seen.setdefault(json.dumps(value, sort_keys=True, default=str), (value, []))[1].append(name)
        if len(seen) > 1:
            fewest = min(seen.values(), key=lambda entry: len(entry[1]))
            problems.add(
                "hosts disagree about a variable of the whole fleet",
                hosts=fewest[1],
                path=path,
                hint="set it once, for the group all",
            )
        if seen:
            agreed[path] = next(iter(seen.values()))[0]
    return agreed


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
