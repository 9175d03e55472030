# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Results of the stores as the command line's JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .control_protocol import Json

if TYPE_CHECKING:
    from .keystore import KeyReport
    from .releases import ReleaseChange, ReleaseList

NOT_RUNNING: Mapping[str, object] = {
    "running": False,
    "pid": None,
    "release": None,
    "public_key": None,
    "listen_port": None,
    "interface": None,
    "peers": [],
    "groups": [],
    "drops": {},
    "relays": None,
    "spokes": None,
    "heartbeats": None,
    "error": None,
    "counters": {},
    "process": None,
    "restart": None,
}


def configured_reply(digest: str | None) -> Json:
    """What ``status`` says of the files. digest: None if there are none."""
    return {"configured": digest is not None, "config_digest": digest}


def key_reply(report: KeyReport) -> Json:
    identity = report.identity
    return {
        "changed": report.changed,
        "tunnel": report.tunnel,
        "public_key": None if report.public_key is None else str(report.public_key),
        "identity": None
        if identity is None
        else {"public_key": _base64(identity.public_key), "signature": _base64(identity.signature)},
    }


def release_list_reply(releases: ReleaseList) -> Json:
    rows = [{"version": r.version, "digest": r.digest, "active": r.active} for r in releases.releases]
    return {"current": releases.current, "previous": releases.previous, "releases": rows}


def release_change_reply(change: ReleaseChange) -> Json:
    return {"changed": change.changed, "current": change.current, "previous": change.previous}


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
