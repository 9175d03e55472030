# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The bundle's parts as CycloneDX 1.6 JSON: names, versions, sums and licences, the same bytes for the same parts.

Licences are what the packages' own metadata say; nobody has judged them here. Without a time stamp, and with a serial
number that follows from the contents, since equal bundles have equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

from wirefleet_bundle.errors import BundleError

_SERIAL_NAMESPACE = uuid.UUID("6f0c3f5e-6a2d-5c7b-9d5b-0f4f6d1d6a57")
_MAX_LICENSE_NAME = 100
AGENT = "wirefleet-agent"


@dataclass(frozen=True)
class Component:
    """ref: unique in a document. kind: CycloneDX's type. licenses: its objects. needs: names of other components."""

    ref: str
    kind: str
    name: str
    version: str
    purl: str
    sha256: str
    licenses: tuple[dict[str, object], ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    needs: tuple[str, ...] = ()


def wheel_component(wheel: Path) -> Component:
    """What a wheel's METADATA says. Raises BundleError for a file that is no wheel."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            found = BytesParser().parsebytes(archive.read(metadata))
    except (OSError, StopIteration, zipfile.BadZipFile) as error:
        raise BundleError("this is not a wheel", path=str(wheel)) from error
    name, version = _normalized(str(found["Name"])), str(found["Version"])
    # Ours is not on the package index: its name there would be somebody else's.
    purl = f"pkg:generic/{name}@{version}" if name == AGENT else f"pkg:pypi/{name}@{version}"
    needs = {_normalized(match[0]) for line in _all(found, "Requires-Dist") if (match := _needed(line))}
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return Component(wheel.name, "library", name, version, purl, sha256, _licenses(found), needs=tuple(sorted(needs)))


def sbom(version: str, platform: str, components: Sequence[Component]) -> bytes:
    """The document for a bundle of the agent with these parts."""
    ordered = sorted(components, key=lambda component: (component.kind, component.ref))
    root = f"{AGENT}-bundle"
    document: dict[str, object] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": root,
                "version": version,
                "properties": [{"name": "wirefleet:platform", "value": platform}],
            }
        },
        "components": [_component(component) for component in ordered],
        "dependencies": [
            {"ref": root, "dependsOn": sorted(part.ref for part in ordered)},
            *(
                {"ref": part.ref, "dependsOn": sorted(other.ref for other in ordered if other.name in part.needs)}
                for part in ordered
            ),
        ],
    }
    serial = uuid.uuid5(_SERIAL_NAMESPACE, json.dumps(document, sort_keys=True))
    document["serialNumber"] = f"urn:uuid:{serial}"
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def _component(component: Component) -> dict[str, object]:
    entry: dict[str, object] = {
        "type": component.kind,
        "bom-ref": component.ref,
        "name": component.name,
        "version": component.version,
        "purl": component.purl,
        "hashes": [{"alg": "SHA-256", "content": component.sha256}],
    }
    if component.licenses:
        entry["licenses"] = list(component.licenses)
    if component.properties:
        entry["properties"] = [{"name": name, "value": value} for name, value in component.properties]
    return entry


def _licenses(metadata: Message) -> tuple[dict[str, object], ...]:
    """An SPDX expression where the package has one; else the names that it uses."""
    expression = _all(metadata, "License-Expression")
    if expression:
        return ({"expression": expression[0]},)
    trove = [line for line in _all(metadata, "Classifier") if line.startswith("License ::")]
    names = [line.rpartition(" :: ")[2] for line in trove]
    free_text = [line for line in _all(metadata, "License") if "\n" not in line and len(line) < _MAX_LICENSE_NAME]
    return tuple({"license": {"name": name}} for name in dict.fromkeys(names or free_text))


def _all(metadata: Message, key: str) -> list[str]:
    return [str(value).strip() for value in metadata.get_all(key) or []]


def _needed(line: str) -> re.Match[str] | None:
    """The name in a Requires-Dist line; None for what only an extra asks for."""
    return None if "extra ==" in line else re.match(r"[A-Za-z0-9._-]+", line)


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
