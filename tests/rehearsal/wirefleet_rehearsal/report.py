# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: what was rehearsed, what was measured, and what a rehearsal cannot show."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TITLE = "rehearsal"
CANNOT_SHOW = (
    "Windows itself: its kernel, network stack, service control manager and security subsystem took no part",
    "the Wintun driver: the real wintun.dll was pinned and unpacked, then a stand-in on /dev/net/tun ran in its place",
    "rights: Wine knows one user; accounts, service SIDs, privileges, file and pipe ACLs were asked for, not enforced",
    "the firewall and Defender: rules and exclusions were recorded by stand-ins and filter nothing",
    "PowerShell and the modules' own code: stand-ins in Python checked the arguments against the documentation",
    "recovery actions, delayed start and pre-shutdown: a stand-in restarts services; Wine starts them at boot",
    "forwarding on hubs: done by the Linux kernel of the host's namespace between two stand-in adapters",
    "IP Helper writers: a stand-in built with Wine's own headers acted through the namespace's netlink",
    "Kerberos, certificate logon, CredSSP and PSRP; NTLM was pyspnego's on both ends",
    "sleep, hibernation, driver updates, antivirus products, group policy, several sessions",
    "speed of Windows: figures are those of Wine on this machine, two hosts on each processor",
)


@dataclass
class Report:
    """Filled while the scenarios run."""

    started: float = field(default_factory=time.time)
    steps: list[dict[str, Any]] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    not_shown: dict[str, Any] = field(default_factory=dict)

    def step(self, title: str, outcome: str, duration_s: float) -> None:
        self.steps.append({"title": title, "outcome": outcome, "duration_s": round(duration_s, 1)})

    def as_dict(self) -> dict[str, Any]:
        return {
            "title": TITLE,
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            "machine": f"{platform.system()} {platform.release()}",
            "is_passed": bool(self.steps) and all(step["outcome"] != "failed" for step in self.steps),
            "duration_s": round(time.time() - self.started, 1),
            "steps": self.steps,
            "measured": self.measured,
            "cannot_show": list(CANNOT_SHOW),
            "accepted_without_effect": self.not_shown,
        }

    def as_text(self) -> str:
        document = self.as_dict()
        verdict = "all scenarios passed" if document["is_passed"] else "NOT ALL SCENARIOS PASSED"
        lines = [f"{TITLE}: {verdict} in {document['duration_s']:.0f} s ({document['when']})", "", "Rehearsed:"]
        lines += [f"  {step['outcome']:7} {step['duration_s']:6.1f} s  {step['title']}" for step in self.steps]
        lines += ["", "Measured (under Wine, on this machine):"]
        lines += [f"  {name}: {value}" for name, value in self.measured.items()]
        lines += ["", "What a rehearsal cannot show; nothing here was tried on Windows:"]
        lines += [f"  - {line}" for line in CANNOT_SHOW]
        if self.not_shown:
            lines += ["", "Accepted and recorded by stand-ins, without effect:"]
            lines += [f"  - {topic}: {', '.join(details)}" for topic, details in sorted(self.not_shown.items())]
        return "\n".join(lines) + "\n"

    def write(self, directory: Path) -> list[Path]:
        """report.txt and report.json."""
        directory.mkdir(parents=True, exist_ok=True)
        text, document = directory / "report.txt", directory / "report.json"
        text.write_text(self.as_text(), encoding="utf-8")
        document.write_text(json.dumps(self.as_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return [text, document]


def not_shown_by(states: Iterable[Path]) -> dict[str, list[str]]:
    """What the stand-ins accepted without effect, over all hosts."""
    found: dict[str, set[str]] = {}
    for state in states:
        path = state / "not_shown.json"
        if path.exists():
            for topic, details in json.loads(path.read_text(encoding="utf-8")).items():
                found.setdefault(topic, set()).update(details)
    return {topic: sorted(details) for topic, details in found.items()}
