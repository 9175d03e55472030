# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the get-pip script that ansible-test would download: installs the wheel that lies beside it.

ansible-test looks for the script in its cache before it asks the network; scripts/ansible_test.sh puts this file
and the wheel there, so that the sanity tests run without any network but the package index.
"""

import runpy
import sys
from pathlib import Path

WHEEL = next(Path(__file__).resolve().parent.glob("pip-*.whl"))
ASKED_FOR = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]

sys.path.insert(0, str(WHEEL))
sys.argv[1:] = ["install", *(str(WHEEL) if word.startswith("pip==") else word for word in ASKED_FOR)]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
