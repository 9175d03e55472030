# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The command line as Windows calls it: code pages, spaces, other scripts, pipes. Each call is a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import wirefleet_agent

pytestmark = pytest.mark.windows_only

NAME = "上海-01"
SOURCE = str(Path(wirefleet_agent.__file__).parents[1])
MAIN = f"import sys; sys.path.insert(0, {SOURCE!r}); from wirefleet_agent.host.cli import main; sys.exit(main())"


@pytest.fixture
def root(tmp_path):
    return tmp_path / "Program Files" / "Büro 北京"


def command(root: Path, *words: str) -> list[str]:
    return [sys.executable, "-I", "-c", MAIN, "--root", str(root), "--tunnel", NAME, *words]


def call(root: Path, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(root, *words), input=stdin, capture_output=True, timeout=120)


def test_names_of_other_scripts_are_arguments_files_and_answers(root):
    made = call(root, "--json", "key", "ensure")
    shown = call(root, "--json", "key", "show")

    assert (made.returncode, shown.returncode) == (0, 0), made.stderr + shown.stderr
    assert made.stdout.isascii()
    assert json.loads(made.stdout)["tunnel"] == NAME
    assert json.loads(shown.stdout)["public_key"] == json.loads(made.stdout)["public_key"]
    assert (root / "state" / "keys" / f"{NAME}.key").exists()


def test_text_is_utf8_whatever_the_code_page_is(root):
    outcome = call(root, "status")

    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.decode("utf-8").startswith(f"{NAME}: there is no such tunnel")


def test_an_error_with_a_path_of_another_script_is_told_too(root):
    outcome = call(root, "key", "show")

    assert outcome.returncode == 5
    assert f"{NAME}.key" in outcome.stderr.decode("utf-8")


def test_a_request_from_a_pipe_is_written_and_compared(root):
    call(root, "key", "ensure")
    request = json.dumps({"conf": "[Interface]\nListenPort = 51820\n# 注意\n", "toml": ""}).encode("ascii")

    applied = call(root, "--json", "config", "apply", stdin=request)
    again = call(root, "--json", "config", "apply", stdin=request)
    shown = call(root, "config", "show")

    assert json.loads(applied.stdout)["changed"] is True, applied.stdout + applied.stderr
    assert json.loads(again.stdout)["changed"] is False
    assert "# 注意" in shown.stdout.decode("utf-8")


def test_the_verb_that_closes_all_paths_finds_what_we_made_closed(root):
    call(root, "key", "ensure")

    reply = json.loads(call(root, "--json", "--check", "secure").stdout)

    assert reply["changed"] is False, reply
    assert str(root / "state" / "keys" / "identity.key") in [each["path"] for each in reply["paths"]]


def test_a_reader_that_goes_away_is_no_traceback(root):
    process = subprocess.Popen(
        command(root, "--json", "status"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()

    err = process.stderr.read()
    process.stderr.close()

    assert process.wait(120) == 1
    assert err == b""


def test_a_device_of_dos_is_no_tunnel(root):
    outcome = subprocess.run(
        [sys.executable, "-I", "-c", MAIN, "--root", str(root), "--tunnel", "con", "--json", "key", "ensure"],
        capture_output=True,
        timeout=120,
    )

    assert (outcome.returncode, json.loads(outcome.stdout)["error"]["code"]) == (2, "usage")
    assert not root.exists()
