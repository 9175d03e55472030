# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import ast
import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.bundles import (
    BUNDLE_FOLDER,
    CACHE,
    TINY_AGENT,
    built_wheels,
    contents,
    errors,
    host,
    make_bundle,
    make_wheel,
    manifest,
    rewritten,
    run_bundle,
    sources,
    wheelhouse,
)

CHECKOUT = BUNDLE_FOLDER.parents[1]
TINY_MANIFEST = {
    "schema": 2,
    "version": "0.1.0",
    "platform": "linux_x86_64",
    "glibc": None,
    "wheels": {"3.11": ["a.whl"]},
    "tool": "a.whl",
    "files": {"payload/a.whl": {"size": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}},
    "inputs": "inputs",
}


def install(bundle: Path, root: Path, *words: str, code: int = 0) -> dict[str, object]:
    result = run_bundle(bundle, "install", "--root", str(root), "--json", *words)
    assert result.returncode == code, result.stdout + result.stderr
    assert len(result.stdout.splitlines()) == 1
    return json.loads(result.stdout)


def releases(root: Path) -> list[str]:
    """Everything that lies there, what an interrupted installation left included."""
    folder = root / "opt/wirefleet/releases"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path)


def build(output: Path) -> dict[str, object]:
    command = [sys.executable, str(BUNDLE_FOLDER / "build_bundle.py"), "--output", str(output), "--cache", str(CACHE)]
    result = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout)


@pytest.mark.slow
def test_the_real_bundle_is_the_same_each_time_and_installs_an_agent_that_needs_no_checkout(tmp_path, root):
    one, two = build(tmp_path / "one"), build(tmp_path / "two")
    again = build(tmp_path / "one")
    reply = install(Path(one["path"]), root)
    command = root / "opt/wirefleet/current/bin/wirefleet-agent"
    listing = subprocess.run(
        [command, "--root", root, "--json", "release", "list"],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        env={},
    )

    assert Path(one["path"]).read_bytes() == Path(two["path"]).read_bytes()
    assert (one["changed"], again["changed"]) == (True, False)
    assert (reply["changed"], reply["version"], reply["digest"]) == (True, one["version"], one["digest"])
    assert json.loads(listing.stdout)["current"] == one["version"]
    texts = [path for path in root.rglob("*") if path.is_file() and str(CHECKOUT).encode() in path.read_bytes()]
    assert texts == []
    assert (root / "opt/wirefleet/current/share/wirefleet-agent@.service").is_file()
    assert sorted(p.name for p in command.parent.iterdir() if "python" not in p.name) == [
        "wirefleet-agent",
        "wirefleet-tun",
    ]


def test_a_second_installation_changes_nothing(bundle, root):
    first = install(bundle, root)
    second = install(bundle, root)

    assert (first["changed"], first["activated"], first["version"]) == (True, True, "0.1.0")
    assert (second["changed"], second["activated"]) == (False, False)
    assert second | {"changed": True, "activated": True} == first
    assert releases(root) == ["0.1.0"]


def test_check_mode_touches_nothing(bundle, root):
    reply = install(bundle, root, "--check")

    assert (reply["changed"], reply["version"]) == (True, "0.1.0")
    assert not root.exists()
    install(bundle, root)
    assert install(bundle, root, "--check")["changed"] is False


def test_another_build_of_the_same_version_gets_a_name_of_its_own(tmp_path, bundle, root):
    install(bundle, root)
    (tmp_path / "second").mkdir()
    second = make_bundle(tmp_path / "second", code=TINY_AGENT + "# changed\n")

    reply = install(second, root)

    assert reply["version"] == f"0.1.0+{reply['digest'][:12]}"
    assert reply["activated"] is False
    assert releases(root) == ["0.1.0", reply["version"]]
    assert (root / "opt/wirefleet/current").readlink() == Path("releases/0.1.0")
    assert install(second, root)["changed"] is False
    assert install(bundle, root)["changed"] is False


def test_a_broken_release_of_the_name_is_replaced_and_leftovers_are_removed(bundle, root):
    install(bundle, root)
    (root / "opt/wirefleet/releases/0.1.0/release.json").unlink()
    (root / "opt/wirefleet/releases/.staging-dead").mkdir()

    assert install(bundle, root)["changed"] is True
    assert install(bundle, root)["changed"] is False
    assert releases(root) == ["0.1.0"]


def test_old_releases_are_removed_but_never_the_current_one(tmp_path, root):
    made = []
    for number in range(7):
        (tmp_path / str(number)).mkdir()
        made.append(install(make_bundle(tmp_path / str(number), code=TINY_AGENT + f"# {number}\n"), root)["version"])

    kept = releases(root)
    assert made[0] in kept
    assert made[-1] in kept
    assert len(kept) <= 6


def test_an_agent_that_does_not_run_is_not_installed(tmp_path, root):
    bundle = make_bundle(tmp_path, code="raise SystemExit('I am broken')\n")

    error = install(bundle, root, code=1)["error"]

    assert "I am broken" in error["message"]
    assert releases(root) == []
    assert not (root / "opt/wirefleet/current").exists()


def test_a_flipped_byte_is_found_before_anything_is_touched(bundle, root):
    name = "payload/wirefleet_agent-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(bundle) as packed:
        content = bytearray(packed.read(name))
    content[len(content) // 2] ^= 1

    error = install(rewritten(bundle, {name: bytes(content)}), root, code=3)["error"]

    assert error["code"] == "invalid_bundle"
    assert "does not match its sum" in error["message"]
    assert not root.exists()


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"payload/wirefleet_agent-0.1.0-py3-none-any.whl": None}, {}),
        ({}, {"payload/extra.whl": b"x"}),
        ({}, {"payload/../../evil": b"x"}),
        ({"manifest.json": None}, {}),
        ({"manifest.json": b"{}"}, {}),
        ({"manifest.json": b"[1]"}, {}),
        ({"manifest.json": b"\xff"}, {}),
    ],
)
def test_a_bundle_that_differs_from_its_manifest_is_refused(bundle, root, changes, more):
    assert install(rewritten(bundle, changes, more), root, code=3)["error"]["code"] == "invalid_bundle"
    assert not root.exists()


@pytest.mark.parametrize("name", ["../evil.whl", "/etc/passwd", "a/b.whl", "a\\b.whl", ".hidden", ""])
def test_an_unsafe_name_in_a_manifest_is_refused(bundle, name):
    with zipfile.ZipFile(bundle) as packed:
        record = json.loads(packed.read("manifest.json"))
    record["files"][name] = {"size": 1, "sha256": "0" * 64}

    with pytest.raises(errors.InvalidBundle, match="unsafe name"):
        manifest.parse_manifest(json.dumps(record).encode())


def test_a_wheel_that_writes_outside_the_release_is_refused(tmp_path, root):
    evil = make_wheel(tmp_path, "evil", {"../../../../../evil.py": "x = 1\n"})
    bundle = make_bundle(tmp_path, more=(evil,))

    assert install(bundle, root, code=3)["error"]["code"] == "invalid_bundle"
    assert list(tmp_path.rglob("evil.py")) == []
    assert releases(root) == []


def test_a_bundle_for_another_host_is_refused(tmp_path, root):
    other_platform = make_bundle(tmp_path, platform="linux_riscv64")
    assert "linux_riscv64" in install(other_platform, root, code=5)["error"]["message"]
    other_python = make_bundle(tmp_path, python="3.99")
    assert "3.99" in install(other_python, root, code=5)["error"]["message"]
    newer_libc = make_wheel(tmp_path, "needy", {"needy.py": ""})
    renamed = newer_libc.rename(tmp_path / "needy-0.1.0-py3-none-manylinux_2_99_x86_64.whl")
    assert "glibc 2.99" in install(make_bundle(tmp_path, more=(renamed,)), root, code=5)["error"]["message"]
    assert not root.exists()


def test_a_directory_that_cannot_be_made_is_a_driver_error(bundle, tmp_path):
    (tmp_path / "root").touch()

    assert install(bundle, tmp_path / "root", code=1)["error"]["code"] == "driver"


def test_verify_and_wrong_words(bundle, root):
    verified = run_bundle(bundle, "verify", "--json")
    assert json.loads(verified.stdout)["valid"] is True
    assert run_bundle(bundle, "verify").stdout == "the bundle is sound\n"
    wrong = run_bundle(bundle, "destroy", "--json")
    assert (wrong.returncode, json.loads(wrong.stdout)["error"]["code"]) == (2, "usage")
    people = run_bundle(bundle, "install", "--root", str(root))
    assert people.stdout == "release 0.1.0: installed\n"
    assert "trying it" in people.stderr
    assert run_bundle(bundle, "destroy").returncode == 2


def test_what_is_no_zip_is_no_bundle(tmp_path):
    (tmp_path / "x.pyz").write_text("nonsense")

    with pytest.raises(errors.InvalidBundle):
        contents.Bundle(tmp_path / "x.pyz")


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_no_flipped_byte_of_the_archive_makes_more_than_an_invalid_bundle(tmp_path, mask):
    path = tmp_path / "tiny.pyz"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(zipfile.ZipInfo("manifest.json"), json.dumps(TINY_MANIFEST), zipfile.ZIP_DEFLATED)
        packed.writestr("payload/a.whl", b"abc")
    sound = path.read_bytes()
    refused = 0
    for position in range(len(sound)):
        path.write_bytes(sound[:position] + bytes([sound[position] ^ mask]) + sound[position + 1 :])
        try:
            contents.Bundle(path).verify()
        except errors.InvalidBundle:
            refused += 1

    assert refused > len(sound) // 2


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 200_000,
        json.dumps(TINY_MANIFEST).replace('"size": 3', '"size": Infinity').encode(),
        json.dumps({**TINY_MANIFEST, "glibc": []}).encode(),
        json.dumps({**TINY_MANIFEST, "tool": {}}).encode(),
    ],
)
def test_an_odd_manifest_is_an_invalid_bundle(tmp_path, raw):
    path = tmp_path / "tiny.pyz"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("manifest.json", raw)

    with pytest.raises(errors.InvalidBundle):
        contents.Bundle(path)


def test_an_old_python_is_told_so():
    source = (BUNDLE_FOLDER / "pyz/__main__.py").read_text()
    ast.parse(source, feature_version=(3, 7))
    pretend = (
        "import sys; sys.version_info = (3, 9, 2, 'final', 0); sys.argv = ['b.pyz', '--json']; exec(sys.stdin.read())"
    )
    result = subprocess.run([sys.executable, "-c", pretend], input=source, capture_output=True, text=True, check=False)

    assert result.returncode == 5
    assert "not 3.9" in json.loads(result.stdout)["error"]["message"]


def test_the_inputs_decide_whether_a_bundle_is_built_anew():
    source = sources.AgentSource(BUNDLE_FOLDER.parent)
    plain = source.fingerprint("linux_x86_64", ("3.11",))

    assert plain == source.fingerprint("linux_x86_64", ("3.11",))
    assert (
        len({plain, source.fingerprint("linux_aarch64", ("3.11",)), source.fingerprint("linux_x86_64", ("3.12",))}) == 3
    )


def test_an_extra_adds_its_packages_and_another_is_refused():
    source = sources.AgentSource(BUNDLE_FOLDER.parent)

    added = set(source.requirements_of(("fast",))) - set(source.requirements)

    assert [requirement.partition(">=")[0] for requirement in added] == ["numpy"]
    assert source.requirements_of(()) == source.requirements
    with pytest.raises(errors.UsageError, match="no extra slow"):
        source.requirements_of(("slow",))


def test_what_tools_leave_in_the_checkout_is_no_input(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.1.0"\ndependencies = []\n')
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle/code.py").write_text("")
    source = sources.AgentSource(tmp_path)
    clean = source.fingerprint("linux_x86_64", ("3.11",))

    for left in ("bundle/.mypy_cache/3.11/cache.db", "src/wirefleet_agent/__pycache__/x.pyc", "bundle/.code.py.swp"):
        (tmp_path / left).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / left).write_text("left behind")

    assert source.fingerprint("linux_x86_64", ("3.11",)) == clean
    (tmp_path / "bundle/code.py").write_text("1")
    assert source.fingerprint("linux_x86_64", ("3.11",)) != clean


def test_platforms_and_versions_that_are_none_are_refused(tmp_path):
    with pytest.raises(errors.UsageError):
        wheelhouse.Wheelhouse(tmp_path, "windows_amd64", (), BUNDLE_FOLDER / "constraints.txt")
    house = wheelhouse.Wheelhouse(tmp_path, host.platform_tag(), (), BUNDLE_FOLDER / "constraints.txt")
    with pytest.raises(errors.UsageError):
        house.wheels_for("2.7")


def test_the_bundle_carries_the_versions_that_the_tests_run_with():
    def pins(path: Path) -> dict[str, str]:
        lines = [line.strip() for line in path.read_text().splitlines() if "==" in line and not line.startswith("#")]
        return {name.lower(): version for name, version in (line.split("==") for line in lines)}

    ours, tested = pins(BUNDLE_FOLDER / "constraints.txt"), pins(CHECKOUT / "requirements/constraints.txt")
    assert {name: version for name, version in ours.items() if name in tested} == {
        name: tested[name] for name in ours if name in tested
    }


def test_what_is_published_as_source_only_is_pinned_by_its_hash_and_in_the_version_of_the_tests():
    text = built_wheels.SOURCE_LOCK.read_text()
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+) ", text, re.MULTILINE))
    constraints = (BUNDLE_FOLDER / "constraints.txt").read_text().splitlines()

    assert set(pinned) == built_wheels.source_only() == {"pysyncobj"}
    assert all(f"{name}=={version}" in constraints for name, version in pinned.items())
    assert text.count("--hash=sha256:") == len(pinned)
    assert built_wheels.published(("pysyncobj>=0.3.17", "PySyncObj", "pynacl>=1.5")) == ("pynacl>=1.5",)


def test_a_source_with_another_hash_is_not_built(tmp_path):
    lock = tmp_path / "source-requirements.txt"
    lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, built_wheels.SOURCE_LOCK.read_text()))

    with pytest.raises(errors.BundleError, match="building what is published as source only failed"):
        built_wheels.built_wheels(tmp_path / "cache", tmp_path, lock)


def test_the_wheel_that_is_built_is_for_any_platform_and_the_same_each_time(tmp_path):
    house = wheelhouse.Wheelhouse(CACHE, host.platform_tag(), (), BUNDLE_FOLDER / "constraints.txt")
    backend = house.build_backend()

    made = [built_wheels.built_wheels(tmp_path / name, backend) for name in ("one", "two")]

    assert [wheel.name for wheel in made[0]] == ["pysyncobj-0.3.17-py3-none-any.whl"]
    assert made[0][0].read_bytes() == made[1][0].read_bytes()
