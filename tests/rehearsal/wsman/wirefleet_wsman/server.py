# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The listener: HTTP and HTTPS, authentication of a connection, encrypted or plain messages.

AllowUnencrypted=false as on Windows: over plain HTTP a message must be encrypted (which needs NTLM), so Basic
works over HTTPS only, unless the operator says otherwise. A refused password is a 401, nothing else.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import ssl
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import AF_INET, AF_INET6, socket
from typing import Any

from wirefleet_wsman.authentication import DeniedError, NtlmSession, Users
from wirefleet_wsman.encryption import CONTENT_TYPE, EncryptionError, decrypt, encrypt, is_encrypted
from wirefleet_wsman.operations import ShellOperations

SOAP_TYPE = "application/soap+xml;charset=UTF-8"
MAX_REQUEST_BYTES = 512 * 1024  # Windows' MaxEnvelopeSizekb
MAX_CONNECTIONS = 100
CONNECTION_TIMEOUT_S = 900.0
HANDSHAKE_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class ListenerSettings:
    """What connections of one host are judged by."""

    users: Users
    ntlm_user_file: Path
    allow_unencrypted: bool = False
    allow_basic: bool = True


class WsmanListener(ThreadingHTTPServer):
    """One address and port. tls: the context of an HTTPS listener."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        operations: ShellOperations,
        settings: ListenerSettings,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        self.operations = operations
        self.settings = settings
        self.tls = tls
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, _Connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread, unless there are too many."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """TLS first, in the connection's own thread: a client that says nothing blocks nobody else."""
        connection: socket = request
        connection.settimeout(HANDSHAKE_TIMEOUT_S)
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True)
        connection.settimeout(CONNECTION_TIMEOUT_S)
        with contextlib.closing(connection):
            _Connection(connection, client_address, self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A broken connection is the network's business; anything else is ours and is shown."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handle_error(request, client_address)


class _Connection(BaseHTTPRequestHandler):
    """One TCP connection; NTLM authenticates the connection, Basic each request."""

    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-HTTPAPI/2.0"
    sys_version = ""
    wbufsize = 65536
    server: WsmanListener

    def __init__(self, request: Any, client_address: Any, server: WsmanListener) -> None:
        self._ntlm: NtlmSession | None = None
        super().__init__(request, client_address, server)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are in the trace, not on the terminal."""

    def do_POST(self) -> None:
        """One message."""
        body = self._read_body()
        if body is None or not self._is_authorized():
            return
        if not body:
            self._reply(200, b"", SOAP_TYPE)  # pywinrm's empty request that only authenticates
        elif is_encrypted(self.headers.get("Content-Type", "")):
            self._answer_encrypted(body)
        elif self.server.tls is None and not self.server.settings.allow_unencrypted:
            self._log("a message was not encrypted and AllowUnencrypted is false")
            self._reply(500, b"", SOAP_TYPE)
        else:
            status, reply = self.server.operations.answer(body)
            self._reply(status, reply, SOAP_TYPE)

    def _read_body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or len(length) > 12:
            self._refuse(411)
            return None
        if int(length) > MAX_REQUEST_BYTES:
            self._log(f"a message of {int(length)} bytes is larger than MaxEnvelopeSize")
            self._refuse(413)
            return None
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            self.close_connection = True
            return None
        if self.path.split("?")[0].rstrip("/") != "/wsman":
            self._reply(404, b"", SOAP_TYPE)
            return None
        return body

    def _is_authorized(self) -> bool:
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        try:
            if scheme.lower() == "basic" and self.server.settings.allow_basic:
                self.server.settings.users.accept_basic(value.strip())
                return True
            if scheme.lower() in {"ntlm", "negotiate"}:
                return self._step_ntlm(scheme, value.strip())
        except DeniedError as error:
            self._ntlm = None
            self._log(str(error))
            self._challenge()
            return False
        if not scheme and self._ntlm is not None and self._ntlm.is_complete:
            return True
        self._challenge()
        return False

    def _step_ntlm(self, scheme: str, value: str) -> bool:
        try:
            token = base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise DeniedError("malformed NTLM token") from error
        if self._ntlm is None or self._ntlm.is_complete:
            self._ntlm = NtlmSession(self.server.settings.ntlm_user_file)
        answer = self._ntlm.step(token)
        if self._ntlm.is_complete:
            return True
        self._challenge(f"{scheme} {base64.b64encode(answer).decode()}")
        return False

    def _answer_encrypted(self, body: bytes) -> None:
        session = self._ntlm
        if session is None or not session.is_complete:
            self._refuse(400)
            return
        try:
            message = decrypt(body, session)
        except EncryptionError as error:
            self._log(str(error))
            self._refuse(400)
            return
        status, reply = self.server.operations.answer(message)
        self._reply(status, encrypt(reply, session), CONTENT_TYPE)

    def _challenge(self, continuation: str | None = None) -> None:
        self.send_response(401)
        if continuation is not None:
            self.send_header("WWW-Authenticate", continuation)
        else:
            self.send_header("WWW-Authenticate", "Negotiate")
            if self.server.settings.allow_basic:
                self.send_header("WWW-Authenticate", 'Basic realm="WSMAN"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _refuse(self, status: int) -> None:
        """Answer without having read or understood the body: the connection cannot go on."""
        self.close_connection = True
        self._reply(status, b"", SOAP_TYPE)

    def _reply(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _log(self, message: str) -> None:
        print(f"wirefleet_wsman: {self.client_address[0]}: {message}", file=sys.stderr, flush=True)
