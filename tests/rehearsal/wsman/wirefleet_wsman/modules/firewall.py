# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for community.windows.win_firewall_rule: rules as the COM objects of Windows' firewall keep them.

Nothing filters packets: the report says so. Source: documentation of INetFwRule.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from wirefleet_wsman.call import Call, ModuleFailedError, Result

FAMILY = "firewall"
ALL_PROFILES = 0x7FFFFFFF
_PROTOCOLS = {"tcp": 6, "udp": 17, "icmpv4": 1, "icmpv6": 58}
_WITH_PORTS = frozenset({6, 17})
_WITH_ICMP = frozenset({1, 58})
_PROFILES = {"domain": 1, "private": 2, "public": 4}
_INTERFACES = {"wireless": "Wireless", "lan": "Lan", "ras": "RemoteAccess"}
_EDGES = {"no": 0, "yes": 1, "deferapp": 2, "deferuser": 3}
_SECURITY = {"notrequired": 0, "authnoencap": 1, "authenticate": 2, "authdynenc": 3, "authenc": 4}
_KEYWORDS = frozenset({"*", "localsubnet", "dns", "dhcp", "wins", "defaultgateway"})

# Property of the rule -> argument of the module, in the module's order.
_PROPERTIES = {
    "Description": "description", "Direction": "direction", "Action": "action", "ApplicationName": "program",
    "Grouping": "group", "ServiceName": "service", "Enabled": "enabled", "Profiles": "profiles",
    "LocalAddresses": "localip", "RemoteAddresses": "remoteip", "LocalPorts": "localport",
    "RemotePorts": "remoteport", "Protocol": "protocol", "InterfaceTypes": "interfacetypes",
    "EdgeTraversalOptions": "edge", "SecureFlags": "security", "IcmpTypesAndCodes": "icmp_type_code",
}  # fmt: skip

Rule = dict[str, Any]


def win_firewall_rule(call: Call) -> Result:
    """One rule by name, or all rules of a group."""
    rules: dict[str, Rule] = call.host.state.read(FAMILY)
    name, group = call.arguments.get("name"), call.arguments.get("group")
    found = [rule for rule in rules.values() if _is_meant(rule, name, group)]
    new = _new_rule(call)
    lines: list[str] = []
    if call.arguments["state"] == "absent":
        result = _absent(call, rules, found, lines)
    elif not found and name:
        lines += [f"+[{name}]\n", *(f"+{prop}='{new[prop]}'\n" for prop in _PROPERTIES)]
        rules[str(name).casefold()] = new
        result = {"changed": True, "msg": f"Firewall rule '{name}' created."}
    else:
        result = _change(call, found, new, lines)
    if call.diff:
        result["diff"] = {"prepared": "".join(lines)}
    if result["changed"] and not call.check:
        with call.host.state.edit(FAMILY) as state:
            state.clear()
            state.update(rules)
        call.host.not_shown.add("firewall", f"rule {name or group!r}: recorded, filters nothing")
    return result


def _is_meant(rule: Rule, name: str | None, group: str | None) -> bool:
    if name:
        return str(rule["name"]).casefold() == name.casefold()
    return str(rule["Grouping"] or "").casefold() == str(group).casefold()


def _absent(call: Call, rules: dict[str, Rule], found: list[Rule], lines: list[str]) -> Result:
    name, group = call.arguments.get("name"), call.arguments.get("group")
    if not found:
        missing = f"Firewall rule '{name}' does not exist." if name else f"No firewall rules in group '{group}' exist."
        return {"changed": False, "msg": missing}
    for rule in found:
        del rules[str(rule["name"]).casefold()]
        lines += [f"-[{rule['name']}]\n", *(f"-{prop}='{rule[prop]}'\n" for prop in _PROPERTIES)]
    names = "', '".join(str(rule["name"]) for rule in found)
    return {"changed": True, "msg": f"Firewall rule(s) '{names}' removed."}


def _change(call: Call, found: list[Rule], new: Rule, lines: list[str]) -> Result:
    changed: list[str] = []
    unchanged: list[str] = []
    for rule in found:
        lines.append(f"[{rule['name']}]\n")
        differing = [
            prop
            for prop, argument in _PROPERTIES.items()
            if call.arguments.get(argument) is not None and not _is_same(prop, rule[prop], new[prop])
        ]
        for prop in differing:
            lines += [f"-{prop}='{rule[prop]}'\n", f"+{prop}='{new[prop]}'\n"]
            rule[prop] = new[prop]
        (changed if differing else unchanged).append(str(rule["name"]))
    separator = "', '"
    message = f"Firewall rule(s) changed '{separator.join(changed)}' - unchanged '{separator.join(unchanged)}'"
    return {"changed": bool(changed), "msg": message}


def _is_same(prop: str, old: Any, new: Any) -> bool:
    if prop.endswith("Addresses"):
        return sorted(str(old).split(",")) == sorted(str(new).split(","))
    if isinstance(old, str) and isinstance(new, str):
        return old.casefold() == new.casefold()
    return bool(old == new)


def _new_rule(call: Call) -> Rule:
    given = {name: value for name, value in call.arguments.items() if value is not None and value != "any"}
    protocol = _protocol(str(given.get("protocol", "256")))
    has_ports, has_icmp = protocol in _WITH_PORTS, protocol in _WITH_ICMP
    if not has_ports and ("localport" in given or "remoteport" in given):
        raise ModuleFailedError("Value does not fall within the expected range: ports need protocol tcp or udp")
    icmp = [str(item) for item in given.get("icmp_type_code", [])]
    if icmp and icmp != ["any"] and not has_icmp:
        raise ModuleFailedError("Value does not fall within the expected range: icmp_type_code needs an ICMP protocol")
    interfaces = [str(item) for item in given.get("interfacetypes", [])]
    program = given.get("program")
    return {
        "name": given.get("name"),
        "Description": given.get("description"),
        "Direction": {"in": 1, "out": 2}[given.get("direction", "in")],
        "Action": {"block": 0, "allow": 1}[given.get("action", "allow")],
        "ApplicationName": call.host.paths.expand(str(program)) if program else None,
        "Grouping": given.get("group"),
        "ServiceName": given.get("service"),
        "Enabled": given.get("enabled", True),
        "Profiles": _profiles(given.get("profiles")),
        "LocalAddresses": _addresses(given.get("localip")),
        "RemoteAddresses": _addresses(given.get("remoteip")),
        "LocalPorts": _ports(given.get("localport")) if has_ports else None,
        "RemotePorts": _ports(given.get("remoteport")) if has_ports else None,
        "Protocol": protocol,
        "InterfaceTypes": _interfaces(interfaces),
        "EdgeTraversalOptions": _EDGES[given.get("edge") or "no"],
        "SecureFlags": _SECURITY[given.get("security") or "notrequired"],
        "IcmpTypesAndCodes": (",".join(icmp) if icmp and icmp != ["any"] else "*") if has_icmp else None,
    }


def _protocol(name: str) -> int:
    if name.isdecimal() and int(name) <= 256:
        return int(name)
    for known, number in _PROTOCOLS.items():
        if name.casefold() == known or (known.startswith("icmp") and name.casefold().startswith(known)):
            return number
    raise ModuleFailedError(f"Unknown protocol '{name}'.")


def _profiles(names: list[Any] | None) -> int:
    if names is None:
        return ALL_PROFILES
    unknown = [str(name) for name in names if str(name).casefold() not in _PROFILES]
    if unknown:
        raise ModuleFailedError(f"Unknown profile '{unknown[0]}'.")
    value = sum({_PROFILES[str(name).casefold()] for name in names})
    return ALL_PROFILES if value == 7 else value


def _interfaces(names: list[str]) -> str:
    if not names or names == ["any"]:
        return "All"
    unknown = [name for name in names if name.casefold() not in _INTERFACES]
    if unknown:
        raise ModuleFailedError(f"Unknown interface type '{unknown[0]}'.")
    return ",".join(dict.fromkeys(_INTERFACES[name.casefold()] for name in names))


def _ports(text: str | None) -> str:
    for part in (text or "").split(","):
        ends = part.strip().split("-")
        is_number = all(end.isdecimal() and 0 <= int(end) <= 65535 for end in ends) and len(ends) <= 2
        if text is not None and not is_number and part.strip().isascii() and not part.strip().isalnum():
            raise ModuleFailedError(f"Value does not fall within the expected range: port {part!r}")
    return text.replace(" ", "") if text else "*"


def _addresses(text: str | None) -> str:
    if text is None:
        return "*"
    return ",".join(_address(part.strip()) for part in text.split(","))


def _address(text: str) -> str:
    """As the firewall reads it back: IPv4 with a mask, IPv6 with a prefix length."""
    if text.casefold() in _KEYWORDS:
        return text
    try:
        if "-" in text:
            first, last = text.split("-")
            return f"{ipaddress.ip_address(first)}-{ipaddress.ip_address(last)}"
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ModuleFailedError(f"The parameter is incorrect: address {text!r}") from error
    return network.with_netmask if network.version == 4 else network.with_prefixlen
