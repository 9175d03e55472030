# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The Windows Python that the operator gives: python.org's embeddable package, or the NuGet package ``python``.

Nobody ships it in a package registry, and we do not choose it: the operator names the file and its SHA-256. What is
inside is not trusted further than that: only plain files below the one directory that has python.exe are taken.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import struct
import tempfile
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPMessage
from pathlib import Path
from typing import IO

from wirefleet_bundle.errors import BundleError, UsageError
from wirefleet_bundle.names import colliding, why_unsafe

_SUM = re.compile(r"[0-9a-fA-F]{64}")
_CORE = re.compile(r"python3([0-9]{2})\.dll", re.IGNORECASE)
_MACHINES = {"win_amd64": 0x8664, "win_arm64": 0xAA64}
_NUGET = "tools/"
# Of the NuGet package: what a service has no use for, and a package directory that is to be ours alone.
_NOT_TAKEN = (
    "include/", "libs/", "scripts/", "tools/", "lib/site-packages/", "lib/ensurepip/", "lib/idlelib/", "lib/test/",
    "lib/tkinter/", "lib/turtledemo/",
)  # fmt: skip
_MAX_ARCHIVE_BYTES = 256 * 1024 * 1024
_MAX_TOTAL_BYTES = 512 * 1024 * 1024
_MAX_MEMBERS = 20_000
_DOWNLOAD_TIMEOUT_S = 60
_FIXED_INFO = b"\xbd\x04\xef\xfe"
HINT = (
    "download 'Windows embeddable package (64-bit)' of Python 3.11 or newer from python.org/downloads/windows, "
    "compare it with the sum or signature published there, and give its path and its SHA-256 (sha256sum FILE)"
)


@dataclass(frozen=True)
class WindowsRuntime:
    """python: "3.11". version: "3.11.9", or as much of it as the files tell. files: what the bundle takes."""

    python: str
    version: str
    sha256: str
    files: dict[str, bytes]


def checked_source(source: str | None, sha256: str | None) -> tuple[str, str]:
    """Where the archive is, and its sum in small letters; a file here has been compared with it.

    Raises UsageError if one is missing or odd, BundleError for a file of another sum.
    """
    if not source or not sha256:
        missing = "the Windows Python runtime" if not source else "the SHA-256 of the Windows Python runtime"
        option = "--windows-python" if not source else "--windows-python-sha256"
        raise UsageError(f"{missing} is not given", path=option, hint=HINT)
    if _SUM.fullmatch(sha256) is None:
        raise UsageError("this is not a SHA-256: 64 hexadecimal digits", path="--windows-python-sha256", hint=HINT)
    if _is_url(source):
        if urllib.parse.urlsplit(source).scheme != "https":
            raise UsageError("only a path or an https URL is taken", path=_public(source), hint=HINT)
    else:
        _require_sum(Path(source).expanduser(), sha256.lower(), source)
    return source, sha256.lower()


def fetch_runtime(source: str, sha256: str, cache: Path) -> Path:
    """The archive of ``checked_source``: the file itself, or the URL's content from the cache. Raises BundleError."""
    if not _is_url(source):
        return Path(source).expanduser()
    path = cache / "runtime" / f"{sha256}.zip"
    if not path.is_file() or _sum_of(path) != sha256:
        _download(source, path, sha256)
    return path


def _is_url(source: str) -> bool:
    return "://" in source


def read_runtime(path: Path, platform: str) -> WindowsRuntime:
    """Raises BundleError for an archive that is not a Python for this platform, or holds what no such one does."""
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = dict(_plain_files(archive, path))
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, struct.error) as error:
        raise BundleError(f"this is not a zip file that can be read: {error}", path=str(path), hint=HINT) from error
    core = [match for name in files if (match := _CORE.fullmatch(name))]
    if len(core) != 1 or "python.exe" not in files:
        raise BundleError("there is not one python3NN.dll beside python.exe", path=str(path), hint=HINT)
    number, dll = core[0][1], core[0][0]
    if f"python3{number}.zip" not in files and "Lib/os.py" not in files:
        raise BundleError("the standard library is missing", path=str(path), hint=HINT)
    for name in ("python.exe", dll):
        if _machine(files[name]) != _MACHINES[platform]:
            raise BundleError(f"{name} is not for {platform}", path=str(path), hint=HINT)
    python = f"3.{int(number)}"
    return WindowsRuntime(python, _version(files[dll], python), hashlib.sha256(content).hexdigest(), files)


def _plain_files(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[str, bytes]]:
    """Relative to python.exe's directory; nothing is written anywhere."""
    members = archive.infolist()
    if len(members) > _MAX_MEMBERS or sum(info.file_size for info in members) > _MAX_TOTAL_BYTES:
        raise BundleError("it unpacks to more than a Python runtime", path=str(path))
    for info in members:
        kind = stat.S_IFMT(info.external_attr >> 16)
        reason = why_unsafe(info.filename.rstrip("/") if info.is_dir() else info.orig_filename)
        if reason is None and kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            reason = "it is a link or a device"
        if reason is None and info.flag_bits & 1:
            reason = "it is encrypted"
        if reason is not None:
            raise BundleError(f"the runtime holds {info.filename[:60]!r}: {reason}", path=str(path), hint=HINT)
    names = [info.filename for info in members if not info.is_dir()]
    twice = colliding(names)
    if twice is not None:
        raise BundleError(f"the runtime holds {twice!r} twice, if case does not count", path=str(path), hint=HINT)
    base = "" if "python.exe" in names else _NUGET
    for name in names:
        place = name.removeprefix(base)
        if name.startswith(base) and not place.lower().startswith(_NOT_TAKEN) and "__pycache__/" not in place:
            yield place, archive.read(name)


def _machine(image: bytes) -> int | None:
    """What the PE header says that the file is for."""
    try:
        (offset,) = struct.unpack_from("<I", image, 0x3C)
        signature, machine = struct.unpack_from("<4sH", image, offset)
    except struct.error:
        return None
    return int(machine) if image[:2] == b"MZ" and signature == b"PE\0\0" else None


def _version(dll: bytes, python: str) -> str:
    """From the version resource, whose third number is micro * 1000 + level; ``python`` if there is none."""
    position = dll.find(_FIXED_INFO)
    if position < 0 or position + 16 > len(dll):
        return python
    minor, major, _, third = struct.unpack_from("<4H", dll, position + 8)
    return f"{python}.{third // 1000}" if f"{major}.{minor}" == python else python


def _download(url: str, path: Path, sha256: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".staging-", dir=path.parent)
    staged = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as target:
            try:
                opener = urllib.request.build_opener(_StayOnHttps)
                with opener.open(url, timeout=_DOWNLOAD_TIMEOUT_S) as answer:
                    _copy(answer, target)
            except (OSError, ValueError) as error:
                raise BundleError(f"the runtime cannot be downloaded: {error}", path=_public(url), hint=HINT) from error
        _require_sum(staged, sha256, _public(url))
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    total = 0
    while block := source.read(1 << 20):
        total += len(block)
        if total > _MAX_ARCHIVE_BYTES:
            raise ValueError("it is too long for a Python runtime")
        target.write(block)


class _StayOnHttps(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if urllib.parse.urlsplit(newurl).scheme != "https":
            raise ValueError("the server sends us away from https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_sum(path: Path, sha256: str, source: str) -> None:
    try:
        if path.stat().st_size > _MAX_ARCHIVE_BYTES:
            raise BundleError("it is too long for a Python runtime", path=source, hint=HINT)
        found = _sum_of(path)
    except OSError as error:
        raise BundleError(f"it cannot be read: {error.strerror}", path=source, hint=HINT) from error
    if found != sha256:
        raise BundleError(f"its SHA-256 is {found}, not the given {sha256}", path=source, hint=HINT)


def _sum_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _public(url: str) -> str:
    """Without a password that may be in it."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
