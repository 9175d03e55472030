# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Reads ``<tunnel>.toml``: what WireGuard has no words for.

::

    schema = 1
    [host]
    name = "hub-1"
    role = "hub"             # or "spoke"
    forwarding = true        # let packets pass between this host's interfaces
    local_networks = []      # see site_syntax.py
    [logging]
    level = "info"           # debug info warning error
    [peers]                  # public key -> name, for people; keys of strangers are ignored
    "BASE64=" = "hub-2"
    [cluster]                # see toml_cluster.py

and redundancy, see ``redundancy_syntax`` and ``site_syntax``; metrics, see ``metrics_options``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import get_args

from ..keys import PublicKey
from . import values
from .metrics_options import read_metrics
from .model import AgentOptions, LogLevel, Role
from .problems import Problems, ValueProblem
from .redundancy_syntax import read_groups, read_heartbeat, read_relays
from .site_syntax import read_local_networks, read_sites
from .toml_cluster import read_cluster
from .toml_reader import Places, TomlReader, load

SCHEMA = 1
_KEYS = ("schema", "host", "logging", "peers", "heartbeat", "groups", "sites", "relays", "metrics", "cluster")


@dataclass(frozen=True)
class TomlFile:
    """What the .toml says, and where, for checks against the .conf. names: of peers."""

    places: Places
    options: AgentOptions = field(default_factory=AgentOptions)
    names: Mapping[PublicKey, str] = field(default_factory=dict)


def read_toml(text: str, problems: Problems) -> TomlFile:
    """An empty text is all defaults. Problems go to ``problems``."""
    places = Places(text)
    document = load(text, problems)
    if not document:
        return TomlFile(places)
    reader = TomlReader(places, problems)
    reader.refuse_unknown("", document, _KEYS)
    if reader.get("", document, "schema", int) != SCHEMA:
        reader.problem("", "schema", "unknown schema", f"write schema = {SCHEMA}")
    host = reader.section(document, "host", ("name", "role", "forwarding", "local_networks"))
    logging = reader.section(document, "logging", ("level",))
    cluster: Mapping[str, object] | None = reader.get("", document, "cluster", dict)
    groups = read_groups(document, reader)
    options = AgentOptions(
        is_forwarding=reader.get("host", host, "forwarding", bool) or False,
        log_level=reader.choice("logging", logging, "level", get_args(LogLevel)) or "info",
        host=reader.name("host", host, "name"),
        role=reader.choice("host", host, "role", get_args(Role)),
        heartbeat=read_heartbeat(document, reader),
        groups=groups,
        sites=read_sites(document, groups, reader),
        relays=read_relays(document, reader),
        local_networks=read_local_networks(host, reader),
        metrics=read_metrics(document, reader),
        cluster=None if cluster is None else read_cluster(cluster, partial(reader.problem, "cluster")),
    )
    return TomlFile(places, options, _names(document, reader))


def _names(document: Mapping[str, object], reader: TomlReader) -> dict[PublicKey, str]:
    section = reader.get("", document, "peers", dict) or {}
    names: dict[PublicKey, str] = {}
    for text in section:
        name = reader.name("peers", section, text)
        try:
            key = values.parse_public_key(text)
        except ValueProblem as problem:
            reader.problem("peers", text, problem.message, problem.hint)
        else:
            if name is not None:
                names[key] = name
    return names
