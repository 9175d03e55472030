# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The Windows service on fakes of all its bindings: the real graph and the real pipes' server, the rest in memory."""

from __future__ import annotations

import threading

import pytest
from structlog.testing import capture_logs
from support.windows_service import WindowsHost
from wirefleet_agent.errors import RefusedError
from wirefleet_agent.host.control_client import ControlClient
from wirefleet_agent.host.control_pipe import PipeTransport, control_pipe_name
from wirefleet_agent.host.file_lock import FileLock
from wirefleet_agent.host.process_windows import KEPT_PRIVILEGES
from wirefleet_agent.host.restart import RestartOrder
from wirefleet_agent.host.service import TunnelService
from wirefleet_agent.host.service_manager import ExitCode, ServiceControl
from wirefleet_agent.host.service_windows import Watchdog

CONF = "[Interface]\nListenPort = 51820\nAddress = 10.9.0.1/24\nDNS = 10.9.0.53, corp.example\n"


@pytest.fixture
def host(tmp_path):
    host = WindowsHost(tmp_path)
    yield host
    host.close()


def sockets_made(host) -> int:
    return [call[0] for call in host.winsock.calls].count("socket")


def test_a_service_reports_its_way_up_and_down(host):
    host.start()
    host.control(ServiceControl.STOP)

    assert host.join() is ExitCode.STOPPED
    assert list(dict.fromkeys(host.reporter.said)) == ["start_pending", "running", "stop_pending"]


@pytest.mark.parametrize("control", [ServiceControl.STOP, ServiceControl.SHUTDOWN, ServiceControl.PRESHUTDOWN])
def test_all_three_ways_to_end_end_it(host, control):
    host.start()
    host.control(control)

    assert host.join() is ExitCode.STOPPED


def test_privileges_are_gone_before_anything_is_served(host):
    served = []
    host.token.on_remove = lambda: served.append(bool(host.pipes.names))

    host.start()

    assert served == [False]
    assert host.pipes.names
    assert host.ask("status")["process"]["privileges"] == sorted(KEPT_PRIVILEGES)


def test_the_status_comes_over_the_pipe(host):
    host.start()

    status = host.ask("status")

    assert (status["tunnel"], status["running"]) == ("wf0", True)
    assert host.pipes.descriptors[0].endswith("P(A;;GA;;;SY)(A;;GA;;;BA)")


def test_a_configured_tunnel_comes_up_with_adapter_address_and_name_servers(host):
    host.configure(CONF)
    host.start()

    status = host.ask("status")

    assert status["error"] is None
    assert status["interface"]["is_up"]
    assert [call[0] for call in host.wintun.calls].count("create_adapter") == 1
    assert [str(address) for _, address in host.ip_helper.held] == ["10.9.0.1/24"]
    assert (("10.9.0.53",), ("corp.example",)) in host.ip_helper.dns.values()


def test_the_end_leaves_no_adapter_no_address_and_no_name_servers(host):
    host.configure(CONF)
    host.start()

    host.control(ServiceControl.STOP)
    host.join()

    assert "close_adapter" in [call[0] for call in host.wintun.calls]
    assert host.ip_helper.held == []
    assert set(host.ip_helper.dns.values()) == {((), ())}
    assert host.pipes.names == {}


def test_an_adapter_that_cannot_be_made_is_tried_again_and_named(host):
    host.wintun.fail("create_adapter", 1058)
    host.wintun.fail("open_adapter", 1168, 1168)
    host.configure(CONF)
    with capture_logs() as logs:
        host.start()
        error = host.ask("status")["error"]

    assert error["code"] == "driver"
    assert error["message"]
    assert [line["log_level"] for line in logs if line["event"] == "tunnel_not_applied"] == ["error"]
    host.time.pass_s(1.0)
    host.wake()
    assert host.ask("status")["error"] is None


@pytest.mark.parametrize("control", [ServiceControl.RESUME, ServiceControl.NETWORK_CHANGED])
def test_after_a_sleep_or_another_network_the_sockets_are_new(host, control):
    host.configure(CONF)
    host.start()
    before = sockets_made(host)

    host.control(control)
    status = host.ask("status")

    assert sockets_made(host) > before
    assert status["listen_port"] == 51820
    assert status["counters"]["underlay_changed"] == 1


def test_suspending_changes_nothing(host):
    host.configure(CONF)
    host.start()
    before = sockets_made(host)

    host.control(ServiceControl.SUSPEND)

    host.ask("ping")
    assert sockets_made(host) == before


def test_a_tunnel_that_another_process_serves_has_an_exit_code_of_its_own(host):
    other = FileLock(host.paths.pid)
    other.acquire(1)

    host.start(is_awaited=False)

    assert host.join() is ExitCode.TUNNEL_IN_USE
    other.release()


def test_a_pipe_that_another_process_has_is_an_exit_code_of_its_own(host):
    squatted = host.pipes.create(control_pipe_name("wf0"), "", is_first=True)

    host.start(is_awaited=False)

    assert host.join() is ExitCode.NO_CONTROL_PIPE
    squatted.close()


def test_a_mistake_of_ours_is_an_exit_code_of_its_own(host, monkeypatch):
    monkeypatch.setattr(TunnelService, "start", lambda self: 1 / 0)

    host.start(is_awaited=False)

    assert host.join() is ExitCode.INTERNAL_ERROR


def test_a_faulty_configuration_ends_nothing(host):
    host.configure("[Interface]\nPostUp = calc.exe\n")
    host.start()

    assert host.ask("status")["error"]["code"] == "invalid_config"


def test_a_stop_that_hangs_is_reported_and_ended(host, monkeypatch):
    released, ended = threading.Event(), threading.Event()
    monkeypatch.setattr(TunnelService, "stop", lambda self: released.wait(10))
    host.stop_timeout_s = 0.05
    codes = []

    def end_process(code: int) -> None:
        codes.append(code)
        ended.set()

    host.start()
    host.service.end_process = end_process
    host.control(ServiceControl.STOP)
    was_ended = ended.wait(10)
    released.set()

    assert was_ended
    assert codes == [ExitCode.STOP_HUNG]
    assert host.reporter.said[-1] == "stopped STOP_HUNG"
    host.join()


def test_a_start_that_hangs_is_called_running_so_that_somebody_can_stop_it(host, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(TunnelService, "start", lambda self: released.wait(10))
    host.start_timeout_s = 0.05

    host.start()

    assert "running" in host.reporter.said
    released.set()
    host.control(ServiceControl.STOP)
    host.join()


def test_a_service_that_is_told_to_stop_while_it_starts_does_not_call_itself_running_again(host, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(TunnelService, "start", lambda self: released.wait(10))
    host.start_timeout_s = 0.05
    host.start()

    host.control(ServiceControl.STOP)
    released.set()

    assert host.join() is ExitCode.STOPPED
    said = host.reporter.said
    assert "running" not in said[said.index("stop_pending") :]


def test_a_caller_that_cannot_leave_its_job_has_the_service_start_the_restart(host):
    host.start()
    orders = []
    host.service.spawn = lambda _paths, order: orders.append(order)
    order = RestartOrder.new(30.0, is_waiting=True)

    assert host.ask("restart.spawn", order.as_dict()) == {"changed": True}
    assert orders == [order]


def test_no_words_of_a_caller_get_into_a_command(host):
    host.start()

    with pytest.raises(Exception, match="not an order to restart"):
        host.ask("restart.spawn", {"id": "0 & calc.exe", "timeout_s": 1, "wait": False})


def test_in_the_foreground_the_callers_privileges_stay_and_errors_are_raised(host):
    other = FileLock(host.paths.pid)
    other.acquire(1)
    service = host.build()

    with pytest.raises(RefusedError):
        service.run()

    assert "SeDebugPrivilege" in host.token.held
    other.release()


def test_a_call_that_waits_for_a_loop_that_ends_is_sent_away(host):
    host.start()
    client = ControlClient(PipeTransport(control_pipe_name("wf0"), host.connect), timeout_s=5.0)
    host.control(ServiceControl.STOP)

    host.join()

    assert client.try_call("ping") is None


def test_a_watchdog_that_is_told_in_time_says_nothing_more():
    said: list[str] = []
    watchdog = Watchdog(timeout_s=60, progress=lambda: said.append("progress"), expired=lambda: said.append("expired"))

    watchdog.start()
    watchdog.start()
    watchdog.end()
    watchdog.start()

    assert said == ["progress"]
