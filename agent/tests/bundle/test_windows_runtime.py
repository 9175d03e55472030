# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import hashlib
import stat
import struct
import urllib.request
import warnings
import zipfile
from email.message import Message

import pytest
from support.bundles import errors
from support.windows_bundles import ARM64, X86, embeddable, image, nuget, runtime_zip, windows_runtime


def read(path):
    return windows_runtime.read_runtime(path, "win_amd64")


def test_the_embeddable_package_is_taken_as_it_is(tmp_path):
    path, sha256 = runtime_zip(tmp_path)

    runtime = read(path)

    assert (runtime.python, runtime.version, runtime.sha256) == ("3.11", "3.11.9", sha256)
    assert runtime.files == embeddable()


def test_of_the_nuget_package_only_what_a_service_needs_is_taken(tmp_path):
    runtime = read(runtime_zip(tmp_path, nuget())[0])

    assert sorted(runtime.files) == ["DLLs/_ssl.pyd", "Lib/os.py", "python.exe", "python311.dll"]


def test_the_version_is_that_of_the_library(tmp_path):
    assert read(runtime_zip(tmp_path, embeddable(13))[0]).version == "3.13.9"
    unnamed = {**embeddable(13), "python313.dll": image()}
    assert read(runtime_zip(tmp_path, unnamed)[0]).version == "3.13"
    other = {**embeddable(13), "python313.dll": embeddable(12)["python312.dll"]}
    assert read(runtime_zip(tmp_path, other)[0]).version == "3.13"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"python.exe": None}, "beside python.exe"),
        ({"python311.dll": None}, "beside python.exe"),
        ({"python312.dll": image()}, "beside python.exe"),
        ({"python311.zip": None}, "standard library"),
        ({"python.exe": image(ARM64)}, "python.exe is not for win_amd64"),
        ({"python311.dll": image(X86)}, "python311.dll is not for win_amd64"),
        ({"python311.dll": b"MZ"}, "python311.dll is not for win_amd64"),
        ({"python311.dll": b"MZ" + struct.pack("<I", 0xFFFFFFFF) * 30}, "python311.dll is not for win_amd64"),
        ({"../evil.dll": b""}, "leads out"),
        ({"/evil.dll": b""}, "leads out"),
        ({"a//evil.dll": b""}, "leads out"),
        ({"C:/evil.dll": b""}, "characters"),
        ({"..\\evil.dll": b""}, "characters"),
        ({"python.exe:stream": b""}, "characters"),
        ({"nul.txt": b""}, "device"),
        ({"lib/com1": b""}, "device"),
        ({"evil.dll.": b""}, "dot or a blank"),
        ({"PYTHON.exe": image()}, "twice"),
        ({"_ssl.pyd/x": b""}, "twice"),
    ],
)
def test_an_archive_that_is_no_such_runtime_is_refused(tmp_path, changes, message):
    members = {name: content for name, content in {**embeddable(), **changes}.items() if content is not None}

    with pytest.raises(errors.BundleError, match=message):
        read(runtime_zip(tmp_path, members)[0])


def test_a_link_in_the_archive_is_refused(tmp_path):
    path, _ = runtime_zip(tmp_path)
    link = zipfile.ZipInfo("link.dll")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "../../somewhere")

    with pytest.raises(errors.BundleError, match="link or a device"):
        read(path)


def test_the_same_name_twice_is_refused(tmp_path):
    path, _ = runtime_zip(tmp_path)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("python.exe", image())

    with pytest.raises(errors.BundleError, match="twice"):
        read(path)


def test_an_archive_that_unpacks_to_more_than_a_runtime_is_refused_before_it_is_unpacked(tmp_path):
    path, _ = runtime_zip(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("filler.bin", b"")
    raw = bytearray(path.read_bytes())
    directory = raw.rfind(b"PK\x01\x02")
    raw[directory + 24 : directory + 28] = struct.pack("<I", 0xFFFFFF00)  # the size that the directory claims
    path.write_bytes(raw)

    with pytest.raises(errors.BundleError, match="more than a Python runtime"):
        read(path)


def test_no_flipped_byte_of_the_archive_makes_more_than_a_refusal(tmp_path):
    path, _ = runtime_zip(tmp_path)
    sound = path.read_bytes()
    refused = 0
    for position in range(len(sound)):
        path.write_bytes(sound[:position] + bytes([sound[position] ^ 0xFF]) + sound[position + 1 :])
        try:
            read(path)
        except errors.BundleError:
            refused += 1

    assert refused > len(sound) // 2


@pytest.mark.parametrize(
    ("source", "sha256", "place"),
    [
        (None, "0" * 64, "--windows-python"),
        ("", "0" * 64, "--windows-python"),
        ("x.zip", None, "--windows-python-sha256"),
        ("x.zip", "0" * 63, "--windows-python-sha256"),
        ("http://example.org/x.zip", "0" * 64, "http://example.org/x.zip"),
        ("file:///x.zip", "0" * 64, "file:///x.zip"),
    ],
)
def test_without_a_place_and_a_sum_nothing_is_read(source, sha256, place):
    with pytest.raises(errors.UsageError) as caught:
        windows_runtime.checked_source(source, sha256)

    assert caught.value.path == place
    assert "python.org" in caught.value.hint


def test_a_file_of_another_sum_is_refused(tmp_path):
    path, sha256 = runtime_zip(tmp_path)
    assert windows_runtime.checked_source(str(path), sha256.upper()) == (str(path), sha256)

    path.write_bytes(path.read_bytes() + b"x")

    with pytest.raises(errors.BundleError, match=f"not the given {sha256}"):
        windows_runtime.checked_source(str(path), sha256)
    with pytest.raises(errors.BundleError, match="No such file"):
        windows_runtime.checked_source(str(tmp_path / "none.zip"), sha256)


def test_a_downloaded_file_is_kept_under_its_sum_and_taken_from_there(tmp_path):
    content = b"what was downloaded before"
    sha256 = hashlib.sha256(content).hexdigest()
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime" / f"{sha256}.zip").write_bytes(content)

    assert windows_runtime.fetch_runtime("https://no.invalid/x.zip", sha256, tmp_path).read_bytes() == content


def test_a_download_that_fails_names_the_address_without_its_password(tmp_path):
    with pytest.raises(errors.BundleError) as caught:
        windows_runtime.fetch_runtime("https://user:secret@127.0.0.1:1/x.zip?token=secret", "0" * 64, tmp_path)

    assert caught.value.path == "https://127.0.0.1:1/x.zip"
    assert list((tmp_path / "runtime").iterdir()) == []


def test_a_redirection_away_from_https_is_not_followed():
    request = urllib.request.Request("https://example.org/x.zip")
    handler = windows_runtime._StayOnHttps()

    with pytest.raises(ValueError, match="away from https"):
        handler.redirect_request(request, None, 302, "Found", Message(), "http://example.org/x.zip")
    onward = handler.redirect_request(request, None, 302, "Found", Message(), "https://example.net/x.zip")
    assert onward.full_url == "https://example.net/x.zip"
