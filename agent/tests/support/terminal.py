# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The command line, called as a shell would."""

from __future__ import annotations

import io
import json
import sys

from wirefleet_agent.host import cli
from wirefleet_agent.keys import PublicKey

PEER = str(PublicKey(bytes(range(1, 33))))
CONF = f"[Interface]\nListenPort = 51820\nAddress = 10.9.0.1/24\n[Peer]\nPublicKey = {PEER}\nAllowedIPs = 10.9.0.2/32\n"


class Terminal:
    """Calls ``main`` as a shell would, below one root."""

    def __init__(self, root, monkeypatch, capsys):
        self.root = root
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.err = ""

    def __call__(self, *words: str, stdin: object = None) -> tuple[int, str]:
        text = stdin if isinstance(stdin, str) else "" if stdin is None else json.dumps(stdin)
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        code = cli.main(["--root", str(self.root), *words])
        out, self.err = self._capsys.readouterr()
        return code, out

    def json(self, *words: str, stdin: object = None, code: int = 0) -> dict:
        found, out = self("--json", *words, stdin=stdin)
        assert (found, len(out.splitlines())) == (code, 1), out + self.err
        return json.loads(out)
