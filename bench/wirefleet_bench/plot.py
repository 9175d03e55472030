# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture in the docs: ratios on the left, absolute values in panels of one unit each on the right."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .tunnels import OURS, THEIRS

# (measure, figure, label), per panel.
_Bars = Sequence[tuple[str, str, str]]
_RATIOS: _Bars = (
    ("tcp", "mbit_per_s", "TCP"),
    ("streams", "mbit_per_s", "TCP, 4 streams"),
    ("reverse", "mbit_per_s", "TCP, reverse"),
    ("inner6", "mbit_per_s", "TCP, IPv6 inside"),
    ("underlay6", "mbit_per_s", "TCP, IPv6 underlay"),
    ("udp", "lossless_pps", "UDP, 64 bytes"),
    ("hub", "greedy_handshakes_per_s", "handshakes"),
)
_PANELS: Sequence[tuple[str, float, _Bars]] = (
    (
        "Throughput, Mbit/s (more is better)",
        1,
        (
            ("tcp", "mbit_per_s", "1 stream"),
            ("streams", "mbit_per_s", "4 streams"),
            ("reverse", "mbit_per_s", "reverse"),
            ("underlay6", "mbit_per_s", "v6 underlay"),
        ),
    ),
    (
        "CPU seconds per GiB (less is better)",
        1,
        (("tcp", "cpu_s_per_gib_sender", "sender"), ("tcp", "cpu_s_per_gib_receiver", "receiver")),
    ),
    (
        "UDP, 64 bytes, 1,000 packets/s (more is better)",
        1000,
        (("udp", "lossless_pps", "loss <= 0.1 %"), ("udp", "greatest_pps", "most that arrived")),
    ),
    ("Ping, microseconds (less is better)", 1, (("ping", "p50_us", "p50"), ("ping", "p99_us", "p99"))),
    (
        "Idle process, MiB (less is better)",
        1,
        (
            ("memory", "rss_mib", "1 peer"),
            ("memory", "rss_mib_1001_peers", "1,001 peers"),
            ("memory", "rss_mib_10001_peers", "10,001 peers"),
        ),
    ),
    (
        "Hub, handshakes per s (more is better)",
        1,
        (("hub", "handshakes_per_s", "330/s asked"), ("hub", "greedy_handshakes_per_s", "greedy")),
    ),
)
_COLOURS = {OURS: "#2f6fb0", THEIRS: "#c8c8c8"}
_OTHER_COLOUR = "#8c8c8c"
_MISSED = "#b03a2e"


def is_possible() -> bool:
    """Whether matplotlib is there: ``scripts/setup.sh bench`` installs it."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(document: dict[str, Any], path: Path) -> None:
    """Draw what was measured; panels without figures stay away."""
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    panels = [(title, unit, present) for title, unit, bars in _PANELS if (present := _present(document, bars))]
    rows = max(1, (len(panels) + 1) // 2)
    figure = pyplot.figure(figsize=(13, 2.6 * rows + 1.2), layout="constrained")
    grid = figure.add_gridspec(rows, 3, width_ratios=(1.2, 1, 1))
    _draw_ratios(figure.add_subplot(grid[:, 0]), document)
    for number, (title, unit, bars) in enumerate(panels):
        _draw_panel(figure.add_subplot(grid[number // 2, 1 + number % 2]), document, title, unit, bars)
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=_colour(key)) for key in document["implementations"]]
    labels = [f"{each['label']} {each['version']}" for each in document["implementations"].values()]
    figure.legend(handles, labels, loc="outside lower center", ncols=len(handles), frameon=False)
    figure.suptitle(_title(document), fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    # No name and version of the software in the file: it changes only when the figures do.
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _title(document: dict[str, Any]) -> str:
    machine = document["machine"]
    title = f"{machine['cpus']} x {machine['cpu_model']}, both ends on this machine, commit {document['commit']}"
    return title + (" — FORCED, proves nothing" if document["is_forced"] else "")


def _present(document: dict[str, Any], bars: _Bars) -> _Bars:
    return [bar for bar in bars if _figure(document, bar) is not None]


def _figure(document: dict[str, Any], bar: tuple[str, str, str]) -> dict[str, Any] | None:
    found: dict[str, Any] | None = document["measures"].get(bar[0], {}).get("figures", {}).get(bar[1])
    return found


def _colour(key: str) -> str:
    return _COLOURS.get(key, _OTHER_COLOUR)


def _draw_ratios(axes: Any, document: dict[str, Any]) -> None:
    """Ours by theirs; a mark where the target is, red if it is missed."""
    bars = [(bar, figure) for bar in _RATIOS if (figure := _figure(document, bar)) and THEIRS in figure["ratio"]]
    for place, ((measure, key, _), figure) in enumerate(bars):
        ratio = figure["ratio"][THEIRS]["median"]
        axes.barh(place, ratio, color=_colour(OURS), height=0.6)
        axes.text(ratio, place, f" {ratio:.2f}x", va="center", fontsize=9)
        for target in document["measures"][measure]["targets"]:
            if target["figure"] == key and target["basis"] == "ratio":
                bound = float(target["text"].strip("<>= x"))
                colour = "black" if target["is_met"] else _MISSED
                axes.plot([bound, bound], [place - 0.42, place + 0.42], color=colour, linewidth=2)
    axes.axvline(1, color="grey", linewidth=1, linestyle="--")
    axes.set_yticks(range(len(bars)), [bar[2] for bar, _ in bars])
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_title("wirefleet by wireguard-go (line: target)", fontsize=10)
    _tidy(axes)


def _draw_panel(axes: Any, document: dict[str, Any], title: str, unit: float, bars: _Bars) -> None:
    keys = list(document["implementations"])
    width = 0.8 / len(keys)
    for number, key in enumerate(keys):
        for place, bar in enumerate(bars):
            figure = _figure(document, bar)
            if figure is None or key not in figure["median"]:
                continue
            value = figure["median"][key] / unit
            at = place + (number - (len(keys) - 1) / 2) * width
            axes.bar(at, value, width=width * 0.95, color=_colour(key))
            axes.text(
                at, value, f"{value:,.0f}" if value >= 20 else f"{value:.1f}", ha="center", va="bottom", fontsize=8
            )
    axes.set_xticks(range(len(bars)), [bar[2] for bar in bars], fontsize=9)
    axes.margins(y=0.15)
    axes.set_title(title, fontsize=10)
    _tidy(axes)


def _tidy(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
