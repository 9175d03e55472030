# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's bundle on the controller: a zipapp whose manifest names and hashes everything in it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Bundle:
    """digest: SHA-256 of the manifest, as the agent lists it for an installed release."""

    path: Path
    version: str
    digest: str


def read_bundle(path: Path) -> Bundle:
    """Version and digest of a bundle, without unpacking it. Raises AgentError."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = archive.read(MANIFEST)
        version = str(json.loads(manifest)["version"])
    except FileNotFoundError:
        raise _broken(path, "there is no bundle") from None
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise _broken(path, f"this is not a bundle of the agent ({error})") from error
    return Bundle(path=path, version=version, digest=hashlib.sha256(manifest).hexdigest())


def _broken(path: Path, message: str) -> AgentError:
    return AgentError(message, code="no_bundle", path=str(path), hint="run the role wirefleet.wireguard.bundle")
