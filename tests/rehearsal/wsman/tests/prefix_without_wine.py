# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A prefix without Wine: drive_c, a wexec that runs Linux scripts lying in it, and a wpy with a small Windows."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

INSIDE = Path(__file__).with_name("inside_without_wine.py")

_WEXEC = """#!/bin/bash
here=$(dirname "$(realpath "$0")"); program=${1#?:}; shift
case $program in *\\\\*) ;; *) program="windows/system32/$program";; esac
exec "$here/drive_c/${program//\\\\//}" "$@"
"""

PROGRAMS = {
    # Arguments one a line, then standard input.
    "tools/show.exe": '#!/bin/bash\nprintf "<%s>\\n" "$@"\ncat\n',
    "tools/fail.exe": "#!/bin/bash\necho out; echo err >&2; exit ${1:-3}\n",
    "tools/bytes.exe": "#!/bin/bash\nprintf 'h\\x84llo'\n",
    # As Wine's cmd.exe when it cannot start the program that the batch file names: $1 times, counted in the file $2.
    "tools/misfire.cmd": """#!/bin/bash
echo >>"$2"
[ "$(wc -l <"$2")" -gt "$1" ] && exec cat
echo "Can't recognize 'python.exe' as an internal or external command, or batch script." >&2
exit 49
""",
    "tools/where.exe": "#!/bin/bash\npwd -P; echo $COLOUR\n",
    "tools/wait.exe": "#!/bin/bash\nsleep $1; echo waited > $2\n",
    "tools/ticks.exe": "#!/bin/bash\nfor i in 1 2 3; do echo tick $i; sleep 0.2; done\n",
    # cmd.exe /c PROGRAM ARGUMENTS: only for programs that Linux has.
    "windows/system32/cmd.exe": '#!/bin/bash\nshift; exec "$@"\n',
}


def make_prefix(directory: Path) -> Path:
    """Make the prefix; C:\\users\\tester is its user."""
    for folder in ("windows/system32", "Program Files", "ProgramData", "users/Public", "users/tester/Temp", "tools"):
        (directory / "drive_c" / folder).mkdir(parents=True)
    for name, text in PROGRAMS.items():
        _write_program(directory / "drive_c" / name, text)
    _write_program(directory / "wexec", _WEXEC)
    _write_program(directory / "wpy", f"#!/bin/sh\nexec {sys.executable} {INSIDE} {directory}/inside.json\n")
    return directory


def _write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def remove_prefix(directory: Path) -> None:
    """Take it away."""
    shutil.rmtree(directory)
