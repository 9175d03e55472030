# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for async_status: reads the file in which a background job keeps its result."""

from __future__ import annotations

import json

from wirefleet_wsman.call import Call, ModuleFailedError, Result


def async_status(call: Call) -> Result:
    """How far a job is, or its file removed."""
    job_id = str(call.arguments["jid"])
    directory = str(call.internal.get("_async_dir") or "")
    if not directory or "\\" in job_id or "/" in job_id:
        raise ModuleFailedError("Get-AnsibleParam: Missing required argument: _async_dir")
    path = f"{directory}\\{job_id}"
    local = call.host.paths.to_local(path, writing=True)
    if not local.is_file():
        raise ModuleFailedError(f"could not find job at '{directory}'", ansible_job_id=job_id, started=1, finished=1)
    if call.arguments["mode"] == "cleanup":
        local.unlink()
        return {"ansible_job_id": job_id, "erased": path}
    data: Result = json.loads(local.read_text("utf-8"))
    if "started" not in data:
        data.update(finished=1, ansible_job_id=job_id)
    data.setdefault("finished", 0)
    return data
