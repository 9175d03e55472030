# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A slice of the plan as the two texts that the agent reads."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import PlanFilesError, Problem

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class RenderedConfig:
    """Both texts; no secret is in them. preshared_peers: public keys of the peers that need a preshared key.

    has_cluster: the host is one of the hubs that share their state, and needs the key of their cluster.
    """

    tunnel: str
    conf: str
    toml: str
    public_key: str | None
    preshared_peers: tuple[str, ...]
    has_cluster: bool
    pending: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over both texts, each after its length, computed as the agent does it for what it stores."""
        digest = hashlib.sha256(b"wirefleet config v1\0")
        for text in (self.conf, self.toml):
            raw = text.encode()
            digest.update(len(raw).to_bytes(8, "big") + raw)
        return digest.hexdigest()


def render_slice(document: Mapping[str, Any], *, log_level: str = "info", metrics: str = "off") -> RenderedConfig:
    """Render one host's slice. metrics: off, overlay or loopback. Raises PlanFilesError if something is missing."""
    try:
        preshared = tuple(peer["public_key"] for peer in document["peers"] if peer["preshared"])
        texts = [
            _environment()
            .get_template(name)
            .render(slice=document, log_level=log_level, metrics=metrics, preshared_peers=preshared)
            for name in ("tunnel.conf.j2", "tunnel.toml.j2")
        ]
        return RenderedConfig(
            tunnel=document["tunnel"],
            conf=texts[0],
            toml=texts[1],
            public_key=document["public_key"],
            preshared_peers=preshared,
            has_cluster=document["cluster"] is not None,
            pending=tuple(document["pending"]),
        )
    except (jinja2.TemplateError, KeyError, TypeError) as error:
        problem = Problem(f"the slice is incomplete ({error})", hint="run wg_plan again")
        raise PlanFilesError(problem) from error


def toml_literal(value: str | bool | list[str]) -> str:
    """A text, a truth value or a list of texts in TOML; JSON's escapes of a text are also TOML's."""
    return json.dumps(value)


def keys_of(names: Sequence[str], peers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Public keys of peers by their names, in the order of the names. Raises KeyError for a stranger."""
    keys = {peer["name"]: str(peer["public_key"]) for peer in peers}
    return [keys[name] for name in names]


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701 - neither text is HTML
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["toml"] = toml_literal
    environment.filters["keys_of"] = keys_of
    return environment
