# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preshared keys, and the key of the hubs' cluster, on their way to the agent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.wirefleet.wireguard.plugins.module_utils.key_text import decode_key
from ansible_collections.wirefleet.wireguard.plugins.module_utils.preshared import (
    derive_cluster_key,
    derive_preshared_keys,
)
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError

_OTHERS_MAY = 0o077


def preshared_keys_of(options: Mapping[str, Any]) -> dict[str, str]:
    """The request's preshared_keys: given as they are, or derived from the fleet's secret. Raises AgentError. Secret!

    options: preshared_keys, or public_key with preshared_peers and preshared_secret_path.
    """
    if options.get("preshared_keys"):
        return {str(peer): str(key) for peer, key in options["preshared_keys"].items()}
    if not options.get("preshared_peers"):
        return {}
    if not options.get("preshared_secret_path"):
        raise _cannot(
            "peers need preshared keys, but there is no secret to derive them from",
            "set wirefleet_preshared_secret_path, and make the file with wirefleet.wireguard.wg_preshared_key",
        )
    if not options.get("public_key"):
        raise _cannot(
            "the host's own public key is not known, so no preshared key can be derived", "plan the fleet again"
        )
    secret = read_secret(Path(options["preshared_secret_path"]))
    return derive_preshared_keys(secret, options["public_key"], options["preshared_peers"])


def cluster_key_of(options: Mapping[str, Any]) -> str | None:
    """The request's cluster_key, if the host is one of a cluster. Raises AgentError. Secret!

    options: has_cluster and preshared_secret_path.
    """
    if not options.get("has_cluster"):
        return None
    if not options.get("preshared_secret_path"):
        raise _cannot(
            "the hubs' cluster needs a key, but there is no secret to derive it from",
            "set wirefleet_preshared_secret_path, and make the file with wirefleet.wireguard.wg_preshared_key",
        )
    return derive_cluster_key(read_secret(Path(options["preshared_secret_path"])))


def read_secret(path: Path) -> bytes:
    """The fleet's secret: 32 bytes in base64, in a file that nobody but its owner may read. Raises AgentError."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        hint = "make it with wirefleet.wireguard.wg_preshared_key"
        raise _cannot(f"the fleet's secret cannot be read: {reason}", hint, str(path)) from None
    if mode & _OTHERS_MAY:
        raise _cannot("others may read the fleet's secret", f"chmod 0600 {path}", str(path))
    try:
        return decode_key(text)
    except ValueError:
        raise _cannot("the fleet's secret is not 32 bytes in base64", "make a new one", str(path)) from None


def _cannot(message: str, hint: str, path: str = "preshared_secret_path") -> AgentError:
    return AgentError(message, code="invalid_config", path=path, hint=hint)
