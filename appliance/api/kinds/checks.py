"""Checks that the validation of many kinds shares; each yields the faults it finds.

`path` is the field that the faults are about. Called by validation only; pure.
Source: kubernetes `pkg/apis/core/validation`.
"""

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.meta import LabelSelector, LabelSelectorRequirement
from appliance.api.validate_meta import FIXED, label_key, labels

BAD_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
NOT_NEGATIVE = "must be greater than or equal to 0"
INT32_MAX = 2**31 - 1
PROTOCOLS = ("SCTP", "TCP", "UDP")


def named(check: Callable[[str], list[str]], value: str, path: str) -> Iterator[Cause]:
    """Run one of the checks of `api.names`."""
    for fault in check(value):
        yield faults.wrong(path, value, fault)


def required(value: Any, path: str, detail: str = "") -> Iterator[Cause]:
    """Refuse what is empty."""
    if not value:
        yield faults.required(path, detail)


def one_of(value: str, allowed: Sequence[str], path: str, detail: str = "") -> Iterator[Cause]:
    """Refuse what is empty or not among the allowed."""
    if not value:
        yield faults.required(path, detail)
    elif value not in allowed:
        yield faults.unsupported(path, value, tuple(allowed))


def not_negative(value: int | None, path: str) -> Iterator[Cause]:
    """Refuse numbers below zero."""
    if value is not None and value < 0:
        yield faults.wrong(path, value, NOT_NEGATIVE)


def between(value: int | None, low: int, high: int, path: str) -> Iterator[Cause]:
    """Refuse numbers out of a range, both ends inclusive."""
    if value is not None and not low <= value <= high:
        yield faults.wrong(path, value, f"must be between {low} and {high}, inclusive")


def port(value: int, path: str) -> Iterator[Cause]:
    """Refuse what is no port number."""
    yield from between(value, 1, 65535, path)


def port_or_name(value: int | str, path: str) -> Iterator[Cause]:
    """Refuse what is neither a port number nor the name of a port."""
    if isinstance(value, str):
        yield from named(names.port_name, value, path)
    else:
        yield from port(value, path)


def ip(value: str, path: str) -> Iterator[Cause]:
    """Refuse what is no IP address; leading zeros are read differently by different programs."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        parts = value.split(".")
        padded = len(parts) == 4 and all(p.isdecimal() and int(p) < 256 for p in parts)
        yield faults.wrong(path, value, "must not have leading 0s" if padded else BAD_IP)


def special_ip(value: str, path: str) -> Iterator[Cause]:
    """Refuse addresses that make no sense as the other end of a connection."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        yield faults.wrong(path, value, "must be a valid IP address")
        return
    if address.is_unspecified:
        yield faults.wrong(path, value, f"may not be unspecified ({value})")
    if address.is_loopback:
        yield faults.wrong(path, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        why = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
        yield faults.wrong(path, value, why)
    if _is_link_local_multicast(address):
        why = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        yield faults.wrong(path, value, why)


def _is_link_local_multicast(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if address.version == 4:
        return address in ipaddress.ip_network("224.0.0.0/24")
    return address.packed[0] == 0xFF and address.packed[1] & 0x0F == 2


def cidr(value: str, path: str) -> Iterator[Cause]:
    """Refuse what is no address range."""
    try:
        ipaddress.ip_network(value, strict=False)
        whole = "/" in value
    except ValueError:
        whole = False
    if not whole:
        why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        yield faults.wrong(path, value, why)


def same(new: Any, old: Any, path: str) -> Iterator[Cause]:
    """Refuse a change."""
    if new != old:
        yield faults.wrong(path, new, FIXED)


def absolute(value: str, path: str) -> Iterator[Cause]:
    """Refuse a relative path."""
    if value and not value.startswith("/"):
        yield faults.wrong(path, value, "must be an absolute path")


def no_backsteps(value: str, path: str) -> Iterator[Cause]:
    """Refuse a path that climbs."""
    if ".." in value.split("/"):
        yield faults.wrong(path, value, "must not contain '..'")


def descending(value: str, path: str) -> Iterator[Cause]:
    """Refuse a path that could leave the folder it is relative to."""
    if value.startswith("/"):
        yield faults.wrong(path, value, "must be a relative path")
    yield from no_backsteps(value, path)


def descending_unreserved(value: str, path: str) -> Iterator[Cause]:
    """Refuse, too, names that start with two dots: atomic updates of volumes use them."""
    yield from descending(value, path)
    if value.startswith("..") and not value.startswith("../"):
        yield faults.wrong(path, value, "must not start with '..'")


def selector(found: LabelSelector | None, path: str) -> Iterator[Cause]:
    """Check a label selector."""
    if found is None:
        return
    yield from labels(found.matchLabels, f"{path}.matchLabels")
    for index, need in enumerate(found.matchExpressions):
        yield from _requirement(need, f"{path}.matchExpressions[{index}]")


def _requirement(need: LabelSelectorRequirement, path: str) -> Iterator[Cause]:
    if need.operator in {"In", "NotIn"}:
        if not need.values:
            why = "must be specified when `operator` is 'In' or 'NotIn'"
            yield faults.required(f"{path}.values", why)
    elif need.operator in {"Exists", "DoesNotExist"}:
        if need.values:
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            yield faults.forbidden(f"{path}.values", why)
    else:
        yield faults.wrong(f"{path}.operator", need.operator, "not a valid selector operator")
    yield from label_key(need.key, f"{path}.key")
    for index, value in enumerate(need.values):
        yield from named(names.label_value, value, f"{path}.values[{index}]")
