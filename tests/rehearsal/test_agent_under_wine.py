# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's own tests under Windows CPython in Wine, on a host of their own with pytest and the agent's packages."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

import pytest
from wirefleet_lab.machine import add_namespace, ip_batch, run, stop_processes
from wirefleet_rehearsal import toolchain
from wirefleet_rehearsal.cache import CHECKOUT
from wirefleet_rehearsal.host import WineHost

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

FOLDERS = (
    "wire", "crypto", "core", "config", "dataplane", "control", "observe", "layers", "conformance", "fuzz", "drivers",
    "contract", "engine", "host", "wiring",
)  # fmt: skip
# Files that import what only Linux has; what they are about does not exist on Windows. Single tests: marker linux_only.
NOT_RUN = {
    "drivers/test_linux_drivers.py": "the Linux drivers",
    "drivers/test_quiet_interface.py": "netlink's settings of a Linux interface",
    "engine/test_uapi_server.py": "the UAPI over Unix sockets; test_uapi_pipe.py has the same answers over pipes",
    "host/test_tun_command.py": "wirefleet-tun, the wg-quick helper of Linux",
}
MINIMUM_PASSED = 2200
TIMEOUT_S = 420
_RUN = "import os, sys; os.chdir(sys.argv.pop(1)); import pytest; sys.exit(pytest.main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def toolchain_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WineHost]:
    namespace = f"wf-rt{os.getpid() % 256:02x}"
    host = WineHost("toolchain", tmp_path_factory.mktemp("toolchain"), namespace, cpu=1)
    add_namespace(namespace)
    try:
        ip_batch(namespace, ["link set lo up"])
        host.build()
        toolchain.install(host)
        host.boot()
        yield host
    finally:
        host.remove()
        stop_processes(namespace)
        run(["ip", "netns", "delete", namespace])


def test_agents_tests_pass_under_windows_python(toolchain_host, report):
    outcome = toolchain_host.directory / "outcome.xml"
    options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib", "--timeout", "120"]
    options += ["-m", "not netns and not slow", "--junitxml", toolchain.windows_path(outcome)]
    options += [f"--ignore=agent/tests/{name}" for name in NOT_RUN]
    folders = [f"agent/tests/{folder}" for folder in FOLDERS]
    words = [toolchain.PYTHON, "-B", "-c", _RUN, toolchain.windows_path(CHECKOUT), *options, *folders]
    done = toolchain_host.execute(*words, timeout_s=TIMEOUT_S)

    assert outcome.exists(), done.stdout[-4000:] + done.stderr[-4000:]
    suite = next(ElementTree.parse(outcome).getroot().iter("testsuite"))
    counts = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
    passed = counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"]
    report.measured["agent's tests under Windows CPython 3.11 in Wine"] = (
        f"{passed} passed, {counts['skipped']} skipped"
    )
    report.measured["not run there"] = "; ".join(f"{name} ({why})" for name, why in NOT_RUN.items())
    assert (counts["failures"], counts["errors"]) == (0, 0), done.stdout[-8000:]
    assert passed >= MINIMUM_PASSED
