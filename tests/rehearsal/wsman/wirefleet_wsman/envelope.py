# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SOAP envelopes of WS-Management: read without trust, written by hand.

Documents with a DTD are refused (no entity can then be declared, so none can expand), and so are
documents that are too deep or have too many elements. Source: MS-WSMV 3.1.4, DSP0226.
"""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
WMI_ERROR = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError"
NAMES = {"s": SOAP, "a": ADDRESSING, "w": WSMAN, "rsp": SHELL}

MAX_DEPTH = 32
MAX_ELEMENTS = 2000
DEFAULT_ENVELOPE_BYTES = 153600
MIN_ENVELOPE_BYTES = 8192

_DURATION = re.compile(r"^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$")


class EnvelopeRefusedError(Exception):
    """The bytes are not an envelope that this server reads; the message says why."""


class WsmanFault(Exception):
    """An answer that says no: becomes a SOAP fault with HTTP status 500.

    code: the WSManFault code that clients act on, if there is one. wmi_code: likewise, of a quota.
    """

    def __init__(self, subcode: str, reason: str, *, code: int | None = None, wmi_code: int | None = None) -> None:
        super().__init__(reason)
        self.subcode = subcode
        self.reason = reason
        self.code = code
        self.wmi_code = wmi_code


@dataclass(frozen=True, slots=True)
class Request:
    """One request. operation: the last word of the action, such as Receive. body: the element s:Body."""

    operation: str
    message_id: str
    shell_id: str | None
    options: dict[str, str]
    operation_timeout_s: float
    max_envelope_bytes: int
    body: ET.Element


class _Reader:
    """Builds the tree through expat, because ElementTree's own parser cannot be told to refuse a DTD."""

    def __init__(self) -> None:
        self._tree = ET.TreeBuilder()
        self._depth = 0
        self._count = 0
        parser = expat.ParserCreate(namespace_separator="}")
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._tree.data
        parser.buffer_text = True
        self._parser = parser

    def read(self, data: bytes) -> ET.Element:
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as error:
            raise EnvelopeRefusedError(f"not well-formed XML: {error}") from error
        return self._tree.close()

    def _refuse_doctype(self, *_declaration: Any) -> None:
        raise EnvelopeRefusedError("a document type declaration is not accepted")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise EnvelopeRefusedError("too many or too deeply nested elements")
        self._tree.start(_clark(tag), {_clark(name): value for name, value in attributes.items()})

    def _end(self, tag: str) -> None:
        self._depth -= 1
        self._tree.end(_clark(tag))


def _clark(name: str) -> str:
    return "{" + name if "}" in name else name


def read_request(data: bytes) -> Request:
    """Read one envelope. Raises EnvelopeRefusedError for anything that is not a request."""
    root = _Reader().read(data)
    body = root.find("s:Body", NAMES)
    action = _text(root, "s:Header/a:Action")
    message_id = _text(root, "s:Header/a:MessageID")
    if root.tag != f"{{{SOAP}}}Envelope" or body is None or not action or not message_id:
        raise EnvelopeRefusedError("no SOAP envelope with Action, MessageID and Body")
    options = {
        option.get("Name", ""): option.text or "" for option in root.findall("s:Header/w:OptionSet/w:Option", NAMES)
    }
    selector = root.find("s:Header/w:SelectorSet/w:Selector[@Name='ShellId']", NAMES)
    return Request(
        operation=action.rsplit("/", 1)[-1],
        message_id=message_id,
        shell_id=selector.text if selector is not None else None,
        options=options,
        operation_timeout_s=read_duration(_text(root, "s:Header/w:OperationTimeout"), default_s=60.0),
        max_envelope_bytes=_envelope_size(_text(root, "s:Header/w:MaxEnvelopeSize")),
        body=body,
    )


def _text(root: ET.Element, path: str) -> str:
    return (root.findtext(path, "", NAMES) or "").strip()


def _envelope_size(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        return DEFAULT_ENVELOPE_BYTES
    return max(int(text), MIN_ENVELOPE_BYTES)


def read_duration(text: str, *, default_s: float) -> float:
    """Seconds of an xs:duration such as PT20S or P0DT2H0M0S; the default for everything else."""
    match = _DURATION.match(text)
    if match is None or not any(match.groups()):
        return default_s
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return min(((days * 24 + hours) * 60 + minutes) * 60 + seconds, 7 * 86400.0)


def write_reply(request: Request, body: str) -> bytes:
    """The envelope that answers a request; body is XML with the prefixes s, a, w and rsp."""
    return _write(request.message_id, body)


def write_fault(message_id: str, fault: WsmanFault) -> bytes:
    """The envelope of a fault; message_id is empty if the request could not be read."""
    detail = ""
    if fault.code is not None:
        detail = (
            f'<f:WSManFault xmlns:f="{FAULT}" Code="{fault.code}" Machine="localhost">'
            f"<f:Message>{escape(fault.reason)}</f:Message></f:WSManFault>"
        )
    elif fault.wmi_code is not None:
        detail = (
            f'<p:MSFT_WmiError xmlns:p="{WMI_ERROR}"><p:error_Code>{fault.wmi_code}</p:error_Code></p:MSFT_WmiError>'
        )
    body = (
        f"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>{escape(fault.subcode)}</s:Value>"
        f'</s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">{escape(fault.reason)}</s:Text></s:Reason>'
        f"<s:Detail>{detail}</s:Detail></s:Fault>"
    )
    return _write(message_id, body)


def _write(message_id: str, body: str) -> bytes:
    relates_to = f"<a:RelatesTo>{escape(message_id)}</a:RelatesTo>" if message_id else ""
    return (
        f'<s:Envelope xml:lang="en-US" xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:w="{WSMAN}" xmlns:rsp="{SHELL}">'
        f"<s:Header><a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID>{relates_to}</s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()
