# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""First thing a bundle runs. Plain enough for an old Python to read, so that it can say that it is too old."""

import json
import sys


def _too_old():
    message = "this bundle needs Python 3.11 or newer, not %d.%d" % sys.version_info[:2]  # noqa: UP031
    hint = "call it with another interpreter, for example: python3.11 " + sys.argv[0]
    if "--json" in sys.argv:
        print(json.dumps({"error": {"code": "refused", "message": message, "path": sys.executable, "hint": hint}}))
    else:
        sys.stderr.write("wirefleet-bundle: %s (%s)\n" % (message, hint))  # noqa: UP031
    return 5


if sys.version_info < (3, 11):  # noqa: UP036  # whoever unpacks it may have anything
    sys.exit(_too_old())

from wirefleet_bundle.command import main  # noqa: E402

sys.exit(main())
