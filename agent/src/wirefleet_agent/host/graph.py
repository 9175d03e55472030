# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The dependency graph of the service as text and as a Mermaid flowchart, read from the container itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dishka import Container
from dishka.plotter.model import Group, Node, NodeType
from dishka.plotter.transform import Transformer
from dishka.text_rendering import get_name

from .wiring import NAMED_CALLABLES

# An alias of a callable type has no name of its own at run time.
_NAMES = {get_name(hint, include_module=False): name for name, hint in NAMED_CALLABLES.items()}


@dataclass(frozen=True)
class _Part:
    """One thing the container can make. needs: names of others, in the order of its arguments."""

    name: str
    scope: str
    is_given: bool
    needs: tuple[str, ...]


def render_text(container: Container) -> str:
    """One line per part: what it is, and what it needs."""
    parts = _parts(container)
    width = max(len(part.name) for part in parts)
    lines: list[str] = []
    for scope in dict.fromkeys(part.scope for part in parts):
        lines.append(f"{scope}:")
        for part in parts:
            if part.scope == scope:
                needs = "given from outside" if part.is_given else ", ".join(part.needs) or "nothing"
                lines.append(f"  {part.name:<{width}}  <- {needs}")
    return "\n".join(lines) + "\n"


def render_mermaid(container: Container) -> str:
    """A flowchart; an arrow leads from a part to what needs it."""
    parts = _parts(container)
    ids = {part.name: f"n{number}" for number, part in enumerate(parts)}
    lines = ["flowchart LR"]
    for scope in dict.fromkeys(part.scope for part in parts):
        lines.append(f'  subgraph {scope}["{scope}"]')
        for part in parts:
            if part.scope == scope:
                box = f'(["{part.name}"])' if part.is_given else f'["{part.name}"]'
                lines.append(f"    {ids[part.name]}{box}")
        lines.append("  end")
    lines += [f"  {ids[need]} --> {ids[part.name]}" for part in parts for need in part.needs if need in ids]
    return "\n".join(lines) + "\n"


def _parts(container: Container) -> list[_Part]:
    """Without the container's own entries, sorted by name within a scope."""
    found = [(group.name, node) for group in Transformer().transform(container) for node in _nodes(group)]
    names = {node.id: _readable(node.name) for _, node in found}
    hidden = {name for name in names.values() if name.startswith("HasContext(")}
    parts: dict[str, _Part] = {}
    for scope, node in found:
        name = names[node.id]
        needs = tuple(names[need] for need in node.dependencies if need in names and names[need] not in hidden)
        if name not in parts and name not in hidden and name != "Container":
            parts[name] = _Part(name, _scope_name(scope), node.type is NodeType.CONTEXT, needs)
    scopes = list(dict.fromkeys(part.scope for part in parts.values()))
    return sorted(parts.values(), key=lambda part: (scopes.index(part.scope), part.name))


def _nodes(group: Group) -> Iterator[Node]:
    yield from group.nodes
    for child in group.children:
        yield from _nodes(child)


def _readable(name: str) -> str:
    return _NAMES.get(name, name).replace('"', "'")


def _scope_name(name: str) -> str:
    return name.rpartition(".")[2]
