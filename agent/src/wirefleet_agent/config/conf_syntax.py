# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Reads ``<tunnel>.conf``: the syntax of wg(8) and wg-quick(8), without its commands.

A line is empty, a comment, ``[Section]`` or ``Key = value``; ``#`` starts a comment anywhere. Section names and keys
have no case. Stricter than wg: a key that may stand once stands once, a peer is described once, a prefix belongs to
one peer. Every problem of the text is collected, and no value of a secret key is ever quoted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..keys import PublicKey
from . import values
from .model import DEFAULT_MTU_BYTES, InterfaceAddress, InterfaceConfig, PeerConfig, Prefix
from .problems import Problems, ValueProblem, did_you_mean, nearest, quote_word

MAX_PEERS = 65536

INTERFACE_KEYS = ("PrivateKey", "ListenPort", "FwMark", "Address", "DNS", "MTU", "Table")
PEER_KEYS = ("PublicKey", "PresharedKey", "Endpoint", "AllowedIPs", "PersistentKeepalive")
_COMMAND_KEYS = ("PreUp", "PostUp", "PreDown", "PostDown")
_KEYS = {
    "Interface": {key.lower(): key for key in (*INTERFACE_KEYS, *_COMMAND_KEYS, "SaveConfig")},
    "Peer": {key.lower(): key for key in PEER_KEYS},
}
_LIST_KEYS = {"Address", "DNS", "AllowedIPs"}
_SINGLE: dict[str, Callable[[str], object]] = {
    "PrivateKey": values.parse_private_key,
    "ListenPort": values.parse_port,
    "FwMark": values.parse_fwmark,
    "MTU": values.parse_mtu,
    "Table": values.parse_table,
    "PublicKey": values.parse_public_key,
    "PresharedKey": values.parse_preshared_key,
    "Endpoint": values.parse_endpoint,
    "PersistentKeepalive": values.parse_keepalive,
}


@dataclass
class _Section:
    """One section as read: each single value and each list by its key, and the line of each key's first use."""

    name: str
    line: int
    lines: dict[str, int] = field(default_factory=dict)
    singles: dict[str, object] = field(default_factory=dict)
    addresses: list[InterfaceAddress] = field(default_factory=list)
    prefixes: dict[Prefix, int] = field(default_factory=dict)
    servers: list[str] = field(default_factory=list)
    search: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ConfFile:
    """What the .conf says, and where: the line of each peer's PublicKey, for checks against other sources."""

    interface: InterfaceConfig
    peers: tuple[PeerConfig, ...]
    peer_lines: dict[PublicKey, int]


def read_conf(text: str, problems: Problems) -> ConfFile:
    """Read a whole .conf; what is wrong goes to ``problems``, and the rest is read all the same."""
    sections = list(_sections(text, problems))
    interfaces = [section for section in sections if section.name == "Interface"]
    if not interfaces:
        problems.add("there is no [Interface] section", hint="the file begins with [Interface]")
    for extra in interfaces[1:]:
        problems.add("a second [Interface] section", line=extra.line, key="[Interface]", hint="join the two")
    interface = _interface(interfaces[0], problems) if interfaces else InterfaceConfig()
    peers, peer_lines = _peers([section for section in sections if section.name == "Peer"], problems)
    return ConfFile(interface, peers, peer_lines)


def _sections(text: str, problems: Problems) -> Iterator[_Section]:
    section: _Section | None = None
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = raw.partition("#")[0].strip()
        if "\0" in raw or (not line.isprintable() and not line.replace("\t", " ").isprintable()):
            problems.add("a control character", line=number, hint="the file is plain text in UTF-8")
        elif line.startswith("["):
            if section is not None:
                yield section
            section = _header(line, number, problems)
        elif line:
            _assignment(line, number, section, problems)
    if section is not None:
        yield section


def _header(line: str, number: int, problems: Problems) -> _Section:
    name = line[1:-1].strip() if line.endswith("]") else ""
    for known in _KEYS:
        if name.lower() == known.lower():
            return _Section(known, number)
    shown = quote_word(name) if nearest(name, _KEYS) else None
    message = f"unknown section {shown}" if shown else "unknown section"
    problems.add(message, line=number, hint=did_you_mean(name, tuple(_KEYS)))
    return _Section("?", number)


def _assignment(line: str, number: int, section: _Section | None, problems: Problems) -> None:
    word, equals, value = line.partition("=")
    word, value = word.rstrip(), value.lstrip()
    if section is None:
        problems.add("a line before the first section", line=number, hint="the file begins with [Interface]")
        return
    if section.name == "?":
        return
    key = _KEYS[section.name].get(word.lower())
    if key is None:
        _unknown_key(word if equals else "", number, section, problems)
        return
    place = f"[{section.name}] {key}"
    if key in _COMMAND_KEYS:
        problems.add(
            f"{key} is refused: this agent runs no commands from a configuration",
            line=number,
            key=place,
            hint="remove the line",
        )
    elif key == "SaveConfig":
        problems.add(
            "SaveConfig is refused: this agent never writes its own configuration",
            line=number,
            key=place,
            hint="remove the line",
        )
    else:
        _value(key, value, number, section, problems)


def _unknown_key(word: str, number: int, section: _Section, problems: Problems) -> None:
    """The word is quoted only if it is nearly a key: it could be the rest of a secret that was broken in two."""
    place = f"[{section.name}]"
    for name, keys in _KEYS.items():
        if word.lower() in keys:
            key = keys[word.lower()]
            problems.add(f"{key} belongs to [{name}]", line=number, key=f"{place} {key}", hint="move the line")
            return
    known = INTERFACE_KEYS if section.name == "Interface" else PEER_KEYS
    if quote_word(word) and nearest(word, known):
        problems.add(f"unknown key '{word}'", line=number, key=place, hint=did_you_mean(word, known))
    elif word:
        problems.add("unknown key", line=number, key=place, hint=did_you_mean("", known))
    else:
        hint = "a value is not continued on the next line"
        problems.add("not a Key = value line", line=number, key=place, hint=hint)


def _value(key: str, value: str, number: int, section: _Section, problems: Problems) -> None:
    """Parse one value into its section; a problem of one list entry does not hide the next one's."""
    place = f"[{section.name}] {key}"
    first = section.lines.setdefault(key, number)
    if not value and key != "AllowedIPs":
        problems.add(f"{key} has no value", line=number, key=place, hint="remove the line")
    elif key not in _LIST_KEYS:
        if first != number:
            problems.add(f"{key} stands here and in line {first}", line=number, key=place, hint="keep one of them")
            return
        try:
            section.singles[key] = _SINGLE[key](value)
        except ValueProblem as problem:
            problems.add(problem.message, line=number, key=place, hint=problem.hint)
    else:
        for entry in value.split(",") if value else ():
            try:
                _list_entry(key, entry.strip(), number, section)
            except ValueProblem as problem:
                problems.add(problem.message, line=number, key=place, hint=problem.hint)


def _list_entry(key: str, entry: str, number: int, section: _Section) -> None:
    if not entry:
        raise ValueProblem("an empty entry", "remove the extra comma")
    if key == "AllowedIPs":
        section.prefixes.setdefault(values.parse_prefix(entry), number)
    elif key == "Address":
        address = values.parse_interface_address(entry)
        if address not in section.addresses:
            section.addresses.append(address)
    else:
        name, is_server = values.parse_dns(entry)
        into = section.servers if is_server else section.search
        if name not in into:
            into.append(name)


def _interface(section: _Section, problems: Problems) -> InterfaceConfig:
    singles = section.singles
    config = InterfaceConfig(
        private_key=singles.get("PrivateKey"),  # type: ignore[arg-type]  # _SINGLE gives each key its type
        listen_port=singles.get("ListenPort", 0),  # type: ignore[arg-type]
        fwmark=singles.get("FwMark", 0),  # type: ignore[arg-type]
        addresses=tuple(section.addresses),
        mtu_bytes=singles.get("MTU", DEFAULT_MTU_BYTES),  # type: ignore[arg-type]
        table=singles.get("Table", "auto"),  # type: ignore[arg-type]
        dns_servers=tuple(section.servers),
        dns_search=tuple(section.search),
    )
    if config.mtu_bytes < values.MIN_MTU_BYTES_IPV6 and any(address.version == 6 for address in config.addresses):
        problems.add(
            f"an MTU of {config.mtu_bytes} is too small for the IPv6 address of this interface",
            line=section.lines["MTU"],
            key="[Interface] MTU",
            hint=f"at least {values.MIN_MTU_BYTES_IPV6}",
        )
    return config


def _peers(sections: list[_Section], problems: Problems) -> tuple[tuple[PeerConfig, ...], dict[PublicKey, int]]:
    peers: list[PeerConfig] = []
    peer_lines: dict[PublicKey, int] = {}
    owners: dict[Prefix, tuple[int, int]] = {}
    for index, section in enumerate(sections):
        _claim_prefixes(index, section, owners, problems)
        key = section.singles.get("PublicKey")
        line = section.lines.get("PublicKey", section.line)
        if not isinstance(key, PublicKey):
            if "PublicKey" not in section.lines:
                problems.add("a peer without a PublicKey", line=line, key="[Peer]", hint="add its PublicKey")
        elif key in peer_lines:
            problems.add(
                f"the peer {key} stands here and in line {peer_lines[key]}",
                line=line,
                key="[Peer] PublicKey",
                hint="join the two sections",
            )
        else:
            peer_lines[key] = line
            peers.append(_peer(key, section))
    if len(sections) > MAX_PEERS:
        problems.add(f"{len(sections)} peers are more than a tunnel can have", hint=f"at most {MAX_PEERS}")
    return tuple(peers), peer_lines


def _claim_prefixes(index: int, section: _Section, owners: dict[Prefix, tuple[int, int]], problems: Problems) -> None:
    """wg would let the last peer win; in a file that is a mistake."""
    for prefix, line in section.prefixes.items():
        owner, owner_line = owners.setdefault(prefix, (index, line))
        if owner != index:
            problems.add(
                f"{prefix} belongs to another peer, in line {owner_line}",
                line=line,
                key="[Peer] AllowedIPs",
                hint="a prefix has one owner: keep it at one peer",
            )


def _peer(key: PublicKey, section: _Section) -> PeerConfig:
    singles = section.singles
    return PeerConfig(
        public_key=key,
        preshared_key=singles.get("PresharedKey"),  # type: ignore[arg-type]  # _SINGLE gives each key its type
        endpoint=singles.get("Endpoint"),  # type: ignore[arg-type]
        allowed_ips=tuple(section.prefixes),
        persistent_keepalive_s=singles.get("PersistentKeepalive", 0),  # type: ignore[arg-type]
    )
