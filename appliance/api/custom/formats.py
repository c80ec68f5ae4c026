"""Formats of strings that schemas name, such as `date-time` and `ipv4`. Pure.

Formats that nobody knows are not checked, as upstream has it.
"""

import base64
import binascii
import ipaddress
import re
import uuid
from collections.abc import Callable
from datetime import date, datetime

_HOST = re.compile(
    r"([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:.+|/.*")
_DURATION = re.compile(r"-?(\d+(\.\d*)?(ns|us|\u00b5s|ms|s|m|h))+|0")


def fits(name: str, text: str) -> bool:
    """Whether a text is of a format."""
    check = _CHECKS.get(name)
    if check is None:
        return True
    try:
        return check(text)
    except (ValueError, binascii.Error):
        return False


def _date_time(text: str) -> bool:
    return "T" in text.upper() and datetime.fromisoformat(text).tzinfo is not None


_CHECKS: dict[str, Callable[[str], bool]] = {
    "byte": lambda text: base64.b64decode(text, validate=True) is not None,
    "cidr": lambda text: "/" in text and bool(ipaddress.ip_network(text, strict=False)),
    "date": lambda text: date.fromisoformat(text) is not None,
    "date-time": _date_time,
    "datetime": _date_time,
    "duration": lambda text: _DURATION.fullmatch(text) is not None,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "hostname": lambda text: _HOST.fullmatch(text) is not None,
    "ipv4": lambda text: ipaddress.IPv4Address(text) is not None,
    "ipv6": lambda text: ipaddress.IPv6Address(text) is not None,
    "uri": lambda text: _URI.fullmatch(text) is not None,
    "uuid": lambda text: uuid.UUID(text) is not None,
}
