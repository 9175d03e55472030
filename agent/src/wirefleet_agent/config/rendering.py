# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A TunnelConfig as text, canonical: ``parse(render(c), render_toml(c)) == c``. And texts without their secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from .metrics_options import metrics_lines
from .model import AgentOptions, InterfaceConfig, PeerConfig, TunnelConfig
from .toml_cluster import cluster_lines

REDACTED = "(redacted)"
_SECRET_NAME = re.compile(
    r"(?i)(?:p[\s_-]*r[\s_-]*i[\s_-]*v[\s_-]*a[\s_-]*t[\s_-]*e|p[\s_-]*r[\s_-]*e[\s_-]*"
    r"s[\s_-]*h[\s_-]*a[\s_-]*r[\s_-]*e[\s_-]*d)[\s_-]*k[\s_-]*e[\s_-]*y"
)
_ASSIGNMENT = re.compile(r"\s*(?:[A-Za-z_]+\s*=|\[|#|$)")
_PUBLIC_LINE = re.compile(r"(?i)\s*(?:public[\s_-]*key\s*=\s*[A-Za-z0-9+/]{43}=|public_key=[0-9a-f]{64})\s*(?:#.*)?")
_KEY_LIKE = re.compile(r"[A-Za-z0-9+/]{40,}=*")
# "The private key is in the key store." A commented-out secret is never made of short words in small letters alone.
_PROSE = re.compile(r"s?(?:[\s,.;()'-]+[a-z]{1,15})+[\s,.;()]*")


def render(config: TunnelConfig) -> str:
    """The .conf, secrets included."""
    return "\n".join(_conf_lines(config, is_redacted=False)) + "\n"


def render_redacted(config: TunnelConfig) -> str:
    """The .conf with "(redacted)" for every secret: for diffs and for people."""
    return "\n".join(_conf_lines(config, is_redacted=True)) + "\n"


def _conf_lines(config: TunnelConfig, *, is_redacted: bool) -> Iterator[str]:
    yield from _interface_lines(config.interface, is_redacted)
    for peer in config.peers:
        yield ""
        yield from _peer_lines(peer, is_redacted)


def _interface_lines(interface: InterfaceConfig, is_redacted: bool) -> Iterator[str]:
    yield "[Interface]"
    if interface.private_key is not None:
        yield f"PrivateKey = {REDACTED if is_redacted else interface.private_key.reveal_base64()}"
    if interface.listen_port:
        yield f"ListenPort = {interface.listen_port}"
    if interface.fwmark:
        yield f"FwMark = {interface.fwmark:#x}"
    for address in interface.addresses:
        yield f"Address = {address}"
    if interface.dns_servers or interface.dns_search:
        yield f"DNS = {', '.join((*interface.dns_servers, *interface.dns_search))}"
    yield f"MTU = {interface.mtu_bytes}"
    if interface.table != "auto":
        yield f"Table = {interface.table}"


def _peer_lines(peer: PeerConfig, is_redacted: bool) -> Iterator[str]:
    yield "[Peer]"
    yield f"PublicKey = {peer.public_key}"
    if peer.preshared_key is not None:
        yield f"PresharedKey = {REDACTED if is_redacted else peer.preshared_key.reveal_base64()}"
    if peer.endpoint is not None:
        yield f"Endpoint = {peer.endpoint}"
    if peer.allowed_ips:
        yield f"AllowedIPs = {', '.join(map(str, peer.allowed_ips))}"
    if peer.persistent_keepalive_s:
        yield f"PersistentKeepalive = {peer.persistent_keepalive_s}"


def render_toml(config: TunnelConfig) -> str:
    """The .toml; it never holds a secret."""
    options = config.options
    lines = ["schema = 1", "", "[host]"]
    if options.host is not None:
        lines.append(f"name = {_toml_text(options.host)}")
    if options.role is not None:
        lines.append(f"role = {_toml_text(options.role)}")
    lines.append(f"forwarding = {str(options.is_forwarding).lower()}")
    if options.local_networks:
        lines.append(f"local_networks = {_toml_list(options.local_networks)}")
    lines += ["", "[logging]"]
    lines.append(f"level = {_toml_text(options.log_level)}")
    if options.metrics is not None:
        lines += ["", *metrics_lines(options.metrics)]
    lines += _redundancy_lines(options)
    if options.cluster is not None:
        lines += ["", *cluster_lines(options.cluster)]
    named = [peer for peer in config.peers if peer.name is not None]
    if named:
        lines += ["", "[peers]"]
        lines += [f'"{peer.public_key}" = {_toml_text(str(peer.name))}' for peer in named]
    return "\n".join(lines) + "\n"


def _redundancy_lines(options: AgentOptions) -> Iterator[str]:
    heartbeat, relays = options.heartbeat, options.relays
    if heartbeat is not None:
        yield from ("", "[heartbeat]", f"port = {heartbeat.port}")
        yield from (f"interval_ms = {heartbeat.interval_ms}", f"misses = {heartbeat.misses}")
    for group in options.groups:
        yield from ("", "[[groups]]", f"name = {_toml_text(group.name)}")
        yield from (f"members = {_toml_list(group.members)}", f"allowed_ips = {_toml_list(group.allowed_ips)}")
        yield from (f"policy = {_toml_text(group.policy)}", f"hold_s = {group.hold_s}")
    for site in options.sites:
        yield from ("", "[[sites]]", f"name = {_toml_text(site.name)}")
        yield from (f"members = {_toml_list(site.members)}", f"allowed_ips = {_toml_list(site.allowed_ips)}")
    if relays is not None:
        yield from ("", "[relays]", f"members = {_toml_list(relays.members)}")
        if relays.fixed:
            yield f"fixed = {_toml_list(relays.fixed)}"


def _toml_list(values: Iterable[object]) -> str:
    return f"[{', '.join(_toml_text(str(value)) for value in values)}]"


def _toml_text(text: str) -> str:
    """A TOML basic string: for printable text it has JSON's escapes."""
    return json.dumps(text, ensure_ascii=False)


def redact_conf(text: str) -> str:
    """``text`` without its secrets, line by line; meant for malformed text as well.

    Redacted is all that follows the name of a secret key, however it is spaced, also on the next line; and anything
    that looks like a key and is not plainly the value of a PublicKey.
    """
    lines: list[str] = []
    is_value_due = False
    for line in text.split("\n"):
        name = _SECRET_NAME.search(line)
        is_prose = name is not None and line.lstrip().startswith("#") and _PROSE.fullmatch(line, name.end())
        if name is not None and not is_prose:
            rest = line[name.end() :].strip(" \t\r=:\"'")
            is_value_due = not rest
            before = _KEY_LIKE.sub(REDACTED, line[: name.end()])
            lines.append(f"{before} = {REDACTED}" if rest else before + " =")
        elif is_value_due and not _ASSIGNMENT.match(line):
            is_value_due = False
            lines.append(REDACTED)
        else:
            is_value_due = is_value_due and not line.strip()
            lines.append(line if _PUBLIC_LINE.fullmatch(line) else _KEY_LIKE.sub(REDACTED, line))
    return "\n".join(lines)
