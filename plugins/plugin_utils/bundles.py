# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's bundles on the controller: zip files whose manifest names and hashes everything in them.

For Linux a program that the host's Python runs, for Windows an archive that the host unpacks.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError

MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Bundle:
    """digest: SHA-256 of the manifest, as the agent lists it for an installed release. platform: win_amd64, ..."""

    path: Path
    version: str
    digest: str
    platform: str = ""

    @property
    def is_for_windows(self) -> bool:
        return self.platform.startswith("win_")


def read_bundle(path: Path) -> Bundle:
    """Version, digest and platform of a bundle, without unpacking it. Raises AgentError."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(MANIFEST).file_size > _MAX_MANIFEST_BYTES:
                raise ValueError("its manifest is too long")
            manifest = archive.read(MANIFEST)
        record = json.loads(manifest)
        version, platform = str(record["version"]), str(record.get("platform", ""))
    except FileNotFoundError:
        raise _broken(path, "there is no bundle") from None
    except (OSError, AttributeError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise _broken(path, f"this is not a bundle of the agent ({error})") from error
    return Bundle(path=path, version=version, digest=hashlib.sha256(manifest).hexdigest(), platform=platform)


def _broken(path: Path, message: str) -> AgentError:
    return AgentError(message, code="no_bundle", path=str(path), hint="run the role wirefleet.wireguard.bundle")
