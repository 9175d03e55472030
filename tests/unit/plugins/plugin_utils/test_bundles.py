# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.bundles import read_bundle


def make(path: Path, manifest: bytes, prefix: bytes = b"") -> Path:
    with path.open("wb") as stream:
        stream.write(prefix)
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("manifest.json", manifest)
    return path


@pytest.mark.parametrize(
    ("platform", "prefix", "is_for_windows"),
    [("linux_x86_64", b"#!/usr/bin/env python3\n", False), ("win_amd64", b"", True)],
)
def test_both_kinds_of_bundles_are_read(tmp_path, platform, prefix, is_for_windows):
    manifest = json.dumps({"version": "0.2.0", "platform": platform}).encode()

    bundle = read_bundle(make(tmp_path / "bundle", manifest, prefix))

    assert (bundle.version, bundle.platform, bundle.is_for_windows) == ("0.2.0", platform, is_for_windows)
    assert bundle.digest == hashlib.sha256(manifest).hexdigest()


@pytest.mark.parametrize("manifest", [b"", b"[]", b"1", b"{}", b"\xff", b" " * (4 * 1024 * 1024 + 1)])
def test_what_has_no_such_manifest_is_no_bundle(tmp_path, manifest):
    with pytest.raises(AgentError) as caught:
        read_bundle(make(tmp_path / "bundle", manifest))

    assert caught.value.code == "no_bundle"


def test_a_missing_file_and_one_that_is_no_zip_are_no_bundles(tmp_path):
    (tmp_path / "text").write_text("nonsense")

    for name in ("text", "none"):
        with pytest.raises(AgentError) as caught:
            read_bundle(tmp_path / name)
        assert caught.value.code == "no_bundle"
