# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""AllowedIPs: which peer, or group of peers, owns an inner address; the longest prefix wins (checklist 38).

One dict per prefix length in use, asked from the longest to the shortest, with a cache of whole addresses
before it. Real tables use few lengths, so a miss costs a handful of dict look-ups and a hit costs one;
any change empties the cache.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .groups import Owner

Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network

_CACHE_ADDRESSES: Final = 65536


class _Family:
    """The table of one address family."""

    __slots__ = ("_bits", "_lengths", "_owners", "cache")

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._owners: dict[int, dict[int, Owner]] = {}
        # (shift, owners) from the longest prefix to the shortest
        self._lengths: list[tuple[int, dict[int, Owner]]] = []
        self.cache: dict[bytes, Owner | None] = {}

    def set(self, length: int, key: int, owner: Owner) -> Owner | None:
        """Returns the owner before it."""
        owners = self._owners.get(length)
        if owners is None:
            owners = self._owners[length] = {}
            self._reorder()
        before = owners.get(key)
        owners[key] = owner
        if self.cache:
            self.cache.clear()
        return before

    def get(self, length: int, key: int) -> Owner | None:
        """The owner of exactly this prefix."""
        owners = self._owners.get(length)
        return None if owners is None else owners.get(key)

    def delete(self, length: int, key: int) -> None:
        owners = self._owners[length]
        del owners[key]
        if not owners:
            del self._owners[length]
            self._reorder()
        if self.cache:
            self.cache.clear()

    def find(self, packed_address: bytes) -> Owner | None:
        """What the cache does not know yet; it does afterwards."""
        address = int.from_bytes(packed_address, "big")
        owner: Owner | None = None
        for shift, owners in self._lengths:
            owner = owners.get(address >> shift)
            if owner is not None:
                break
        # An attacker inside the tunnel can make up addresses: the cache is emptied rather than let grow.
        if len(self.cache) >= _CACHE_ADDRESSES:
            self.cache.clear()
        self.cache[packed_address] = owner
        return owner

    def _reorder(self) -> None:
        self._lengths = [(self._bits - length, self._owners[length]) for length in sorted(self._owners, reverse=True)]


class AllowedIps:
    """The table of all peers and groups of one device, both families."""

    __slots__ = ("_of_owner", "_v4", "_v6")

    def __init__(self) -> None:
        self._v4 = _Family(32)
        self._v6 = _Family(128)
        # Per owner, in the order of insertion: (version, length, key) -> prefix. The key of a prefix is its
        # address without host bits, shifted right; tuples of int hash faster than network objects.
        self._of_owner: dict[Owner, dict[tuple[int, int, int], Prefix]] = {}

    def insert(self, prefix: Prefix, owner: Owner) -> Owner | None:
        """Give ``prefix`` to ``owner``; an exact duplicate moves from the one that had it, who is returned."""
        name = _name(prefix)
        version, length, key = name
        before = (self._v4 if version == 4 else self._v6).set(length, key, owner)
        if before is not None and before is not owner:
            self._forget(before, name)
        mine = self._of_owner.get(owner)
        if mine is None:
            mine = self._of_owner[owner] = {}
        mine[name] = prefix
        return before

    def remove(self, prefix: Prefix, owner: Owner) -> bool:
        """Take ``prefix`` from ``owner``; False, and nothing changes, if it does not own exactly this."""
        name = _name(prefix)
        if name not in self._of_owner.get(owner, ()):
            return False
        self._forget(owner, name)
        self._delete(name)
        return True

    def remove_all(self, owner: Owner) -> None:
        """Take every prefix from ``owner``."""
        for name in self._of_owner.pop(owner, ()):
            self._delete(name)

    def lookup(self, packed_address: bytes) -> Owner | None:
        """The owner of an address (4 or 16 bytes, network order), or None."""
        family = self._v4 if len(packed_address) == 4 else self._v6
        try:
            return family.cache[packed_address]
        except KeyError:
            return family.find(packed_address)

    def owner_of(self, prefix: Prefix) -> Owner | None:
        """The owner of exactly this prefix, or None."""
        version, length, key = _name(prefix)
        return (self._v4 if version == 4 else self._v6).get(length, key)

    def prefixes_of(self, owner: Owner) -> tuple[Prefix, ...]:
        """The owner's prefixes in the order in which it got them."""
        return tuple(self._of_owner.get(owner, {}).values())

    def _forget(self, owner: Owner, name: tuple[int, int, int]) -> None:
        mine = self._of_owner[owner]
        del mine[name]
        if not mine:
            del self._of_owner[owner]

    def _delete(self, name: tuple[int, int, int]) -> None:
        version, length, key = name
        (self._v4 if version == 4 else self._v6).delete(length, key)


def _name(prefix: Prefix) -> tuple[int, int, int]:
    length = prefix.prefixlen
    return prefix.version, length, int(prefix.network_address) >> (prefix.max_prefixlen - length)
