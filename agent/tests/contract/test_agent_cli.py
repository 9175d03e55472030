# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The real command line against the recorded answers; see tests/contract/agent_cli/README.md."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import structlog
from support.hubs import QUICK
from support.memory_host import MemoryHost
from wirefleet_agent.drivers.memory import MemoryUnderlay
from wirefleet_agent.host import cli, cluster_service
from wirefleet_agent.host.doctor import _assembly
from wirefleet_agent.host.file_lock import FileLock
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.host.private_files import make_private_dir, write_private
from wirefleet_agent.observe import Logs

if sys.platform != "win32":
    from wirefleet_agent.engine import uapi_server

FOLDER = Path(__file__).parents[3] / "tests/contract/agent_cli"
IS_RECORDING = bool(os.environ.get("WIREFLEET_RECORD"))

_PATTERNS = {
    "public_key": r"[A-Za-z0-9+/]{43}=",
    "signature": r"[A-Za-z0-9+/]{86}==",
    "confirm_id": r"[0-9a-f]{32}",
    "sha256": r"[0-9a-f]{64}",
    "path": r"(?s).+",
    "text": r"(?s).+",
}


def is_of_kind(value: object, kind: str) -> bool:
    if kind in ("pid", "bytes"):
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if kind == "seconds":
        return isinstance(value, int | float) and value >= 0
    if kind == "names":
        return isinstance(value, list) and all(isinstance(each, str) and each for each in value)
    return isinstance(value, str) and re.fullmatch(_PATTERNS[kind], value) is not None


class Caller:
    """Makes calls on one host; remembers the last confirm id."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.replace: Callable[[str], str] = lambda text: text
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self._confirm_id = ""

    def __call__(self, argv: list[str], stdin: object) -> tuple[int, dict[str, object]]:
        text = "" if stdin is None else stdin if isinstance(stdin, str) else json.dumps(stdin)
        text = self.replace(text.replace("<CONFIRM_ID>", self._confirm_id))
        if "<OWN_KEY>" in text:
            text = text.replace("<OWN_KEY>", str(KeyStore(Paths(self.root)).ensure("wf0").public_key))
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        code = cli.main(["--root", str(self.root), *argv])
        out = self._capsys.readouterr().out
        assert len(out.splitlines()) == 1, out
        reply = json.loads(out)
        self._confirm_id = reply.get("confirm_id") or self._confirm_id
        return code, reply

    def set_up(self, step: Mapping[str, object]) -> None:
        if "install" in step:
            release = step["install"]
            home = Paths(self.root).release_dir / release["version"]
            command = home / ("python.exe" if sys.platform == "win32" else "bin/wirefleet-agent")
            command.parent.mkdir(parents=True)
            command.touch(0o755)
            (home / "release.json").write_text(json.dumps({"digest": release["digest"]}))
        elif "open" in step:
            (self.root / step["open"]).chmod(0o644)
        else:
            code, reply = self(step["argv"], step["stdin"])
            assert code == 0, reply


@contextlib.contextmanager
def surroundings(needs: str | None, caller: Caller) -> Iterator[None]:
    """The daemon that a case needs: the real service on memory drivers."""
    if needs is None:
        yield
        return
    underlay = MemoryUnderlay()
    host = MemoryHost(caller.root, underlay=underlay)
    hosts = [host]
    host.start()
    if needs == "daemon with peer":
        hosts.append(_peer_of(caller, underlay))
    done = threading.Event()

    def turn_all() -> None:
        while not done.is_set():
            for each in hosts:
                each.loop.run_once(0.005)

    thread = threading.Thread(target=turn_all, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(10)
        for each in hosts:
            each.crash()


def _peer_of(caller: Caller, underlay: MemoryUnderlay) -> MemoryHost:
    """A second host at 192.0.2.2; from now on its key stands where the recorded requests have the example's."""
    example = json.loads((FOLDER / "config_apply_live.json").read_text())["stdin"]["conf"]
    recorded = re.search(r"PublicKey = (\S+)", example)[1]
    # Its tunnel has a name of its own: on Windows both control pipes belong to one machine.
    peer = MemoryHost(caller.root / "peer", tunnel="wf1", underlay=underlay, hosts=("192.0.2.2",))
    ours = KeyStore(Paths(caller.root)).ensure("wf0").public_key
    theirs = KeyStore(Paths(peer.root)).ensure("wf1").public_key
    conf = (
        example.replace(recorded, str(ours)).replace("192.0.2.2", "192.0.2.1").replace("10.86.0.1/24", "10.86.0.2/24")
    )
    conf = conf.replace("10.86.0.2/32", "10.86.0.1/32")
    make_private_dir(peer.paths.conf.parent)
    write_private(peer.paths.conf, conf.encode())
    peer.start()
    caller.replace = lambda text: text.replace(recorded, str(theirs))
    return peer


def _settled(caller: Caller, case: Mapping[str, object]) -> tuple[int, dict[str, object]]:
    """The answer to the case's call; status with a peer is asked for until the handshake is done."""
    for _ in range(200):
        code, reply = caller(case["argv"], case["stdin"])
        if case["name"] != "status_running" or reply["peers"][0]["last_handshake_age_s"] is not None:
            break
    return code, reply


def at(document: object, pointer: str) -> tuple[object, str | int]:
    """The container and the key that a JSON pointer leads to."""
    *way, last = pointer.removeprefix("/").split("/")
    for step in way:
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document, int(last) if isinstance(document, list) else last


@pytest.fixture
def caller(tmp_path, monkeypatch, capsys):
    Logs().configure(level="silent")
    monkeypatch.setattr(FileLock, "holder", lambda self: None)
    monkeypatch.setattr(_assembly, "TUN_DEVICE", tmp_path)
    monkeypatch.setattr(cluster_service, "TIMING", QUICK)
    if sys.platform != "win32":
        monkeypatch.setattr(uapi_server, "DEFAULT_DIRECTORY", tmp_path)
    yield Caller(tmp_path, monkeypatch, capsys)
    structlog.reset_defaults()


def cases() -> Iterator[object]:
    """Those that depend on the platform's own services are recorded on Linux."""
    for path in sorted(FOLDER.glob("*.json")):
        is_of_linux = json.loads(path.read_text()).get("platform") == "linux"
        yield pytest.param(path, id=path.stem, marks=[pytest.mark.linux_only] if is_of_linux else [])


@pytest.mark.parametrize("path", list(cases()))
def test_the_command_line_answers_as_recorded(path, caller):
    case = json.loads(path.read_text())
    with surroundings(case["needs"], caller):
        for step in case["setup"]:
            caller.set_up(step)
        code, reply = _settled(caller, case)

    if IS_RECORDING:
        reply = json.loads(json.dumps(reply).replace(str(caller.root), ""))
        path.write_text(json.dumps(case | {"stdout": reply}, indent=2) + "\n")
    assert case["name"] == path.stem
    assert code == case["exit_code"], reply
    for pointer, kind in case["varies"].items():
        container, key = at(reply, pointer)
        assert is_of_kind(container[key], kind), (pointer, container[key])
        recorded, recorded_key = at(case["stdout"] if not IS_RECORDING else reply, pointer)
        container[key] = recorded[recorded_key]
    assert IS_RECORDING or reply == case["stdout"]


def test_every_verb_of_the_contract_has_an_example():
    cases = [json.loads(path.read_text()) for path in FOLDER.glob("*.json")]

    called = {" ".join(word for word in case["argv"] if word.isalpha() and word != "nonsense") for case in cases}
    for verb in (
        "key ensure",
        "key rotate",
        "key show",
        "config check",
        "config apply",
        "config confirm",
        "config show",
    ):
        assert any(verb in words for words in called), verb
    for verb in (
        "status",
        "health",
        "daemon start",
        "daemon stop",
        "daemon restart",
        "doctor",
        "uninstall",
        "release list",
        "release activate",
        "release rollback",
        "secure",
        "drain",
        "resume",
        "cluster status",
        "cluster epoch",
        "peer revoke",
        "peer restore",
        "peer place",
    ):
        assert any(verb in words for words in called), verb
    assert {case["exit_code"] for case in cases} == {0, 2, 3, 4, 5}


def test_no_example_shows_a_secret():
    for path in FOLDER.glob("*.json"):
        case = json.loads(path.read_text())
        keys = (case["stdin"].get("preshared_keys") or {}).values() if isinstance(case["stdin"], dict) else ()
        assert not [key for key in keys if key in json.dumps(case["stdout"])]
        assert "PrivateKey" not in json.dumps(case["stdout"].get("diff", "")) or "redacted" in json.dumps(
            case["stdout"]
        )
