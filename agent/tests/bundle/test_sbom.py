# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import hashlib
import json
import zipfile

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from support.bundles import errors, make_bundle, make_wheel
from support.windows_bundles import make_windows_bundle, sbom

SCHEMA = JsonStrictValidator(SchemaVersion.V1_6)


def wheel_with(folder, *lines):
    """A wheel whose METADATA has these lines besides."""
    wheel = make_wheel(folder, "some_thing", {"x.py": ""})
    name = "some_thing-0.1.0.dist-info/METADATA"
    changed = folder / "changed" / wheel.name
    changed.parent.mkdir()
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(changed, "w") as target:
        for member in source.namelist():
            more = "".join(f"{line}\n" for line in lines).encode() if member == name else b""
            target.writestr(member, source.read(member) + more)
    return changed


def bom_of(bundle):
    with zipfile.ZipFile(bundle) as archive:
        return archive.read("sbom.cdx.json").decode(), json.loads(archive.read("manifest.json"))


def test_the_windows_bundle_lists_every_wheel_the_runtime_and_wintun(tmp_path):
    text, manifest = bom_of(make_windows_bundle(tmp_path))

    assert SCHEMA.validate_str(text) is None
    parts = {part["name"]: part for part in json.loads(text)["components"]}
    assert sorted(parts) == ["installer", "python", "pywin32", "wintun", "wirefleet-agent"]
    wheels = [name.removeprefix("payload/") for name in manifest["files"] if name.endswith(".whl")]
    assert sorted(part["bom-ref"] for part in parts.values() if part["bom-ref"].endswith(".whl")) == sorted(wheels)
    for part in parts.values():
        listed = manifest["files"].get(f"payload/{part['bom-ref']}")
        assert listed is None or listed["sha256"] == part["hashes"][0]["content"]
    assert parts["pywin32"]["purl"] == "pkg:pypi/pywin32@312"
    assert parts["wintun"]["licenses"][0]["license"]["name"] == "Wintun Prebuilt Binaries License"
    assert parts["wintun"]["hashes"][0]["content"] == manifest["windows"]["wintun_sha256"]
    assert parts["python"]["version"] == "3.11.9"


def test_the_linux_bundle_lists_every_wheel(tmp_path):
    text, manifest = bom_of(make_bundle(tmp_path))

    assert SCHEMA.validate_str(text) is None
    assert sorted(part["name"] for part in json.loads(text)["components"]) == ["installer", "wirefleet-agent"]
    assert manifest["files"]["sbom.cdx.json"]["sha256"] == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("lines", "licenses"),
    [
        (["License-Expression: MIT OR Apache-2.0", "License: MIT"], [{"expression": "MIT OR Apache-2.0"}]),
        (["License: BSD"], [{"license": {"name": "BSD"}}]),
        (
            ["License: see file", "Classifier: License :: OSI Approved :: MIT License"],
            [{"license": {"name": "MIT License"}}],
        ),
        (["License: " + "many words " * 20], None),
        ([], None),
    ],
)
def test_a_licence_is_what_the_package_says(tmp_path, lines, licenses):
    text = sbom.sbom("0.1.0", "linux_x86_64", [sbom.wheel_component(wheel_with(tmp_path, *lines))])

    assert SCHEMA.validate_str(text.decode()) is None
    assert json.loads(text)["components"][0].get("licenses") == licenses


def test_dependencies_are_those_that_are_there_and_that_no_extra_asks_for(tmp_path):
    needs = ["Requires-Dist: Other_Part>=1", "Requires-Dist: absent", 'Requires-Dist: third; extra == "x"']
    one = sbom.wheel_component(wheel_with(tmp_path, *needs))
    others = [sbom.wheel_component(make_wheel(tmp_path, name, {"y.py": ""})) for name in ("other_part", "third")]

    document = json.loads(sbom.sbom("0.1.0", "linux_x86_64", [one, *others]))

    edges = {edge["ref"]: edge["dependsOn"] for edge in document["dependencies"]}
    assert edges[one.ref] == ["other_part-0.1.0-py3-none-any.whl"]
    assert len(edges["wirefleet-agent-bundle"]) == 3


def test_the_same_parts_give_the_same_bytes_in_any_order(tmp_path):
    parts = [sbom.wheel_component(make_wheel(tmp_path, name, {"y.py": ""})) for name in ("one", "two")]

    assert sbom.sbom("1", "p", parts) == sbom.sbom("1", "p", parts[::-1])
    assert sbom.sbom("1", "p", parts) != sbom.sbom("2", "p", parts)


def test_a_file_that_is_no_wheel_has_no_place_in_it(tmp_path):
    (tmp_path / "x.whl").write_text("nonsense")

    with pytest.raises(errors.BundleError, match="not a wheel"):
        sbom.wheel_component(tmp_path / "x.whl")
