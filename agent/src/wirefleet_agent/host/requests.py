# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What callers may ask on stdin or over the control socket, checked before it is used.

Anything that does not fit is a UsageError: the caller's program is wrong, not the operator's configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import ConfigError, UsageError
from ..keys import ClusterKey, PresharedKey, PublicKey

MAX_CONFIRM_TIMEOUT_S = 24 * 3600
DEFAULT_MAX_HANDSHAKE_AGE_S = 180.0


@dataclass(frozen=True)
class ConfigRequest:
    """A proposed configuration. preshared_keys: what ``conf`` leaves out. confirm_timeout_s: 0 is final at once.

    cluster_key: for ``[cluster]`` in ``toml``; None leaves what the key store has.
    """

    conf: str = field(repr=False)
    toml: str
    preshared_keys: Mapping[PublicKey, PresharedKey]
    confirm_timeout_s: int
    cluster_key: ClusterKey | None = None

    @classmethod
    def from_json(cls, request: Mapping[str, object]) -> ConfigRequest:
        """Raises UsageError; ConfigError for a key that is none (its value is not repeated)."""
        _only(request, {"conf", "toml", "preshared_keys", "confirm_timeout_s", "cluster_key"})
        timeout_s = request.get("confirm_timeout_s", 0)
        if not isinstance(timeout_s, int) or isinstance(timeout_s, bool) or not 0 <= timeout_s <= MAX_CONFIRM_TIMEOUT_S:
            raise _wrong("confirm_timeout_s", f"a whole number from 0 to {MAX_CONFIRM_TIMEOUT_S}")
        return cls(
            _text(request, "conf"),
            _text(request, "toml", ""),
            _preshared_keys(request.get("preshared_keys")),
            timeout_s,
            _cluster_key(request.get("cluster_key")),
        )


@dataclass(frozen=True)
class ConfirmRequest:
    confirm_id: str = field(repr=False)

    @classmethod
    def from_json(cls, request: Mapping[str, object]) -> ConfirmRequest:
        _only(request, {"confirm_id"})
        return cls(_text(request, "confirm_id"))


@dataclass(frozen=True)
class HealthRequest:
    """peers: None means every peer that has an endpoint or a keepalive. quorum: whether that of the hubs counts."""

    peers: tuple[str, ...] | None
    max_handshake_age_s: float
    quorum: bool

    @classmethod
    def from_json(cls, request: Mapping[str, object]) -> HealthRequest:
        _only(request, {"peers", "max_handshake_age_s", "quorum"})
        age_s = request.get("max_handshake_age_s", DEFAULT_MAX_HANDSHAKE_AGE_S)
        if not isinstance(age_s, int | float) or isinstance(age_s, bool) or not 0 < age_s < 10**9:
            raise _wrong("max_handshake_age_s", "seconds, more than 0")
        peers = request.get("peers")
        if peers is not None and not isinstance(peers, list):
            raise _wrong("peers", "a list of public keys")
        quorum = request.get("quorum", peers is None)
        if not isinstance(quorum, bool):
            raise _wrong("quorum", "true or false")
        wanted = None if peers is None else tuple(_public_key(peer, "peers") for peer in peers)
        return cls(wanted, float(age_s), quorum)


def _preshared_keys(found: object) -> dict[PublicKey, PresharedKey]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _wrong("preshared_keys", "an object: public key -> preshared key")
    keys: dict[PublicKey, PresharedKey] = {}
    for public_key, text in found.items():
        try:
            key = PresharedKey.from_base64(str(text))
        except ValueError as error:
            raise ConfigError(str(error), path=f"preshared_keys[{public_key}]", hint="wg genpsk makes one") from None
        keys[PublicKey.from_base64(_public_key(public_key, "preshared_keys"))] = key
    return keys


def _cluster_key(found: object) -> ClusterKey | None:
    try:
        key = None if found is None else ClusterKey.from_base64(str(found))
    except ValueError as error:
        raise ConfigError(str(error), path="cluster_key", hint="32 random bytes, the same for all hubs") from None
    if key is not None and key.is_zero:
        raise ConfigError("a cluster key of zeros is no key", path="cluster_key")
    return key


def _public_key(found: object, name: str) -> str:
    try:
        return str(PublicKey.from_base64(str(found)))
    except ValueError as error:
        raise ConfigError(f"{error}, not {str(found)[:60]!r}", path=name) from None


def _text(request: Mapping[str, object], name: str, default: str | None = None) -> str:
    value = request.get(name, default)
    if not isinstance(value, str):
        raise _wrong(name, "text")
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can spell half a character; no file can hold one
        raise _wrong(name, "text that can be written as UTF-8") from None
    return value


def _only(request: Mapping[str, object], known: set[str]) -> None:
    unknown = sorted(request.keys() - known)
    if unknown:
        raise UsageError(f"unknown field {unknown[0]!r}", path="stdin", hint=f"known: {', '.join(sorted(known))}")


def _wrong(name: str, what: str) -> UsageError:
    return UsageError(f"{name} must be {what}", path=f"stdin: {name}")
