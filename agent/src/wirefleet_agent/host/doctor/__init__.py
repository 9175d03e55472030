# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Known failures of the field by their names, and how to be rid of them.

Each check is one small class behind narrow probes. It finds; where it can, it repairs, and then it looks again.
"""

from ._assembly import checks_for, configured_addresses
from ._examine import Examination, examine
from ._findings import Check, Finding, Severity

__all__ = ["Check", "Examination", "Finding", "Severity", "checks_for", "configured_addresses", "examine"]
