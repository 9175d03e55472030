# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``graph``: how the parts of the service depend on each other, read from the container that puts them together."""

from __future__ import annotations

from ..call import Answer, Call, VerbTable

_EPILOG = """examples:
  wirefleet-agent graph
  wirefleet-agent graph --format mermaid > graph.mmd
"""


def register(verbs: VerbTable) -> None:
    parser = verbs.add("graph", "print the dependency graph of the service", _graph, epilog=_EPILOG)
    parser.add_argument("--format", choices=("text", "mermaid"), default="text")


def _graph(call: Call) -> Answer:
    from ..graph import render_mermaid, render_text
    from ..wiring import build_container

    chosen = call.arguments.format
    graph = (render_mermaid if chosen == "mermaid" else render_text)(build_container())
    return Answer({"format": chosen, "graph": graph}, graph.rstrip("\n"))
