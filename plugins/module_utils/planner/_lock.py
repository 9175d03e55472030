# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock file: what a fleet must never forget. It keeps addresses, public keys and placement; never a secret.

A host that leaves the inventory becomes a tombstone under ``removed``: its addresses stay reserved until an operator
releases them, and it gets them back if it returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..json_text import dump_json, load_json
from ..key_text import check_public_key
from ..problems import PlanError, PlanFilesError, Problems
from ._names import is_host_name, natural_key
from ._networks import Address, parse_address

SCHEMA = 1
_TOP_KEYS = {"schema", "overlay", "hosts", "removed"}
_HOST_KEYS = {"role", "addresses", "public_key", "preferred_hubs"}
_HINT = "restore the file from version control"


@dataclass(frozen=True)
class LockedHost:
    """What is kept of one host."""

    role: str
    addresses: tuple[Address, ...]
    public_key: str | None = None
    preferred_hubs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lock:
    """A whole lock file. overlay: texts, for people only."""

    overlay: tuple[str, ...] = ()
    hosts: Mapping[str, LockedHost] = field(default_factory=dict)
    removed: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)

    def addresses_of(self, name: str) -> tuple[Address, ...]:
        """Addresses that belong to the name, present or removed."""
        if name in self.hosts:
            return self.hosts[name].addresses
        return self.removed.get(name, ())

    def public_key_of(self, name: str) -> str | None:
        return self.hosts[name].public_key if name in self.hosts else None


def render_lock(lock: Lock) -> str:
    hosts = {
        name: {
            "role": host.role,
            "addresses": [str(address) for address in host.addresses],
            "public_key": host.public_key,
            "preferred_hubs": list(host.preferred_hubs),
        }
        for name, host in sorted(lock.hosts.items(), key=lambda item: natural_key(item[0]))
    }
    removed = {
        name: {"addresses": [str(address) for address in addresses]}
        for name, addresses in sorted(lock.removed.items(), key=lambda item: natural_key(item[0]))
    }
    return dump_json({"schema": SCHEMA, "overlay": list(lock.overlay), "hosts": hosts, "removed": removed})


def parse_lock(raw: bytes, path: str) -> Lock:
    """A lock from a file's bytes, which anybody may have edited. Raises PlanFilesError with every problem in it."""
    document = load_json(raw, path)
    reader = _LockReader(path)
    lock = reader.read(document)
    try:
        reader.problems.raise_if_any()
    except PlanError as error:
        raise PlanFilesError(error.problems) from None
    return lock


class _LockReader:
    """Walks the document and collects problems; the value at a wrong place is left out."""

    def __init__(self, path: str) -> None:
        self.problems = Problems()
        self._path = path
        self._owners: dict[Address, str] = {}

    def read(self, document: Mapping[str, object]) -> Lock:
        if document.get("schema") != SCHEMA:
            self._complain(
                "schema", f"schema {document.get('schema')!r} is not {SCHEMA}", "use the release that wrote it"
            )
            return Lock()
        self._refuse_unknown(document, _TOP_KEYS, "")
        overlay = document.get("overlay", [])
        if not isinstance(overlay, list) or not all(isinstance(text, str) for text in overlay):
            self._complain("overlay", "is not a list of networks")
            overlay = []
        hosts = {name: self._host(entry, f"hosts.{name}") for name, entry in self._entries(document, "hosts")}
        removed = {
            name: self._tombstone(entry, f"removed.{name}") for name, entry in self._entries(document, "removed")
        }
        for name in sorted(set(hosts) & set(removed)):
            self._complain(f"removed.{name}", "the host is also among hosts")
        self._check_keys(hosts)
        return Lock(tuple(overlay), hosts, removed)

    def _complain(self, where: str, message: str, hint: str = _HINT) -> None:
        self.problems.add(message, path=f"{self._path}: {where}", hint=hint)

    def _refuse_unknown(self, entry: Mapping[str, object], known: set[str], where: str) -> None:
        for key in sorted(set(entry) - known):
            self._complain(
                f"{where}{key}"[:200],
                "this key is unknown",
                "a lock file never holds anything else, least of all secrets",
            )

    def _entries(self, document: Mapping[str, object], section: str) -> Iterator[tuple[str, Mapping[str, object]]]:
        entries = document.get(section, {})
        if not isinstance(entries, dict):
            self._complain(section, "is not an object")
            return
        for name, entry in entries.items():
            if not is_host_name(name):
                self._complain(f"{section}.{name}"[:200], "is not a host's name")
            elif not isinstance(entry, dict):
                self._complain(f"{section}.{name}", "is not an object")
            else:
                yield name, entry

    def _host(self, entry: Mapping[str, object], where: str) -> LockedHost:
        self._refuse_unknown(entry, _HOST_KEYS, f"{where}.")
        role, hubs, key = entry.get("role"), entry.get("preferred_hubs", []), entry.get("public_key")
        if role not in ("hub", "spoke"):
            self._complain(f"{where}.role", "is neither hub nor spoke")
        if not isinstance(hubs, list) or not all(isinstance(hub, str) and is_host_name(hub) for hub in hubs):
            self._complain(f"{where}.preferred_hubs", "is not a list of hosts")
            hubs = []
        if key is not None:
            try:
                check_public_key(str(key))
            except ValueError as error:
                self._complain(f"{where}.public_key", str(error))
        return LockedHost(str(role), self._addresses(entry, where), key if isinstance(key, str) else None, tuple(hubs))

    def _tombstone(self, entry: Mapping[str, object], where: str) -> tuple[Address, ...]:
        self._refuse_unknown(entry, {"addresses"}, f"{where}.")
        return self._addresses(entry, where)

    def _addresses(self, entry: Mapping[str, object], where: str) -> tuple[Address, ...]:
        texts = entry.get("addresses")
        if not isinstance(texts, list):
            self._complain(f"{where}.addresses", "is not a list of addresses")
            return ()
        addresses: list[Address] = []
        for position, text in enumerate(texts):
            place = f"{where}.addresses[{position}]"
            try:
                address = parse_address(text if isinstance(text, str) else repr(text)[:60])
            except ValueError as error:
                self._complain(place, str(error))
                continue
            owner = self._owners.setdefault(address, where)
            if owner != where or address.version in {known.version for known in addresses}:
                self._complain(
                    place, f"{address} is also held by {owner}" if owner != where else "one address per family"
                )
            addresses.append(address)
        return tuple(sorted(addresses))

    def _check_keys(self, hosts: Mapping[str, LockedHost]) -> None:
        owners: dict[str, str] = {}
        for name, host in hosts.items():
            if host.public_key is not None and owners.setdefault(host.public_key, name) != name:
                self._complain(f"hosts.{name}.public_key", f"is also the key of {owners[host.public_key]}")
