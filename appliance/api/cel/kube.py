"""Functions that Kubernetes adds: quantities, URLs, IP addresses and ranges.

Source: apiserver `pkg/cel/library`.
"""

import ipaddress
from collections.abc import Callable
from fractions import Fraction
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from appliance.api import quantity
from appliance.api.cel.values import Address, CelError, Network
from appliance.api.quantity import Amount


def _quantity(text: Any) -> Amount:
    try:
        return quantity.parse(text)
    except (quantity.QuantityError, TypeError) as error:
        raise CelError(str(error)) from error


def _url(text: Any) -> SplitResult:
    try:
        found: SplitResult = urlsplit(text)
        _ = found.port
    except (ValueError, AttributeError, TypeError) as error:
        raise CelError(f"URL parse error during conversion from string: {error}") from error
    if not found.scheme and not text.startswith("/"):
        raise CelError("URL parse error during conversion from string: invalid URI for request")
    return found


def _address(text: Any) -> Address:
    if isinstance(text, ipaddress.IPv4Interface | ipaddress.IPv6Interface):
        return text.ip
    try:
        return ipaddress.ip_address(str(text))
    except ValueError as error:
        raise CelError(f"IP Address {text!r} parse error during conversion from string") from error


def _network(text: Any) -> Network:
    try:
        if "/" not in text:
            raise CelError(f"CIDR {text!r} has no length")
        return ipaddress.ip_interface(str(text))
    except (ValueError, TypeError) as error:
        raise CelError(
            f"network address parse error during conversion from string: {text}"
        ) from error


def _is(read: Callable[[Any], Any]) -> Callable[[Any], bool]:
    def ask(text: Any) -> bool:
        try:
            read(text)
        except CelError:
            return False
        return True

    return ask


def _amount(work: Callable[..., Any]) -> Callable[..., Any]:
    def do(target: Any, *args: Any) -> Any:
        if not isinstance(target, Amount):
            raise CelError("no such overload")
        try:
            return work(target, *args)
        except (AttributeError, TypeError) as error:
            raise CelError("no such overload") from error

    return do


def _added(one: Amount, other: Any, sign: int = 1) -> Amount:
    value = Fraction(other) if isinstance(other, int) else other.value
    return Amount(one.value + sign * value, one.style)


def _as_integer(amount: Amount) -> int:
    if amount.value.denominator != 1 or abs(amount.value) >= 2**63:
        raise CelError("cannot convert value to integer")
    return int(amount.value)


def _host(url: SplitResult) -> str:
    return url.netloc.rpartition("@")[2]


def _of_url(work: Callable[[SplitResult], Any]) -> Callable[..., Any]:
    def do(target: Any) -> Any:
        if not isinstance(target, SplitResult):
            raise CelError("no such overload")
        return work(target)

    return do


def _of_address(work: Callable[..., Any]) -> Callable[..., Any]:
    def do(target: Any, *args: Any) -> Any:
        try:
            return work(target, *args)
        except (AttributeError, TypeError) as error:
            raise CelError("no such overload") from error

    return do


def _contains(network: Network, other: Any) -> bool:
    found = _address(other)
    return found.version == network.version and found in network.network


def _contains_network(network: Network, other: Any) -> bool:
    inner = other if not isinstance(other, str) else _network(other)
    longer = inner.network.prefixlen >= network.network.prefixlen
    return longer and _contains(network, inner.ip)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "jsonpatch.escapeKey": lambda key: key.replace("~", "~0").replace("/", "~1"),
    "quantity": _quantity,
    "isQuantity": _is(_quantity),
    "url": _url,
    "isURL": _is(_url),
    "ip": _address,
    "isIP": _is(_address),
    "ip.isCanonical": lambda text: str(_address(text)) == text,
    "cidr": _network,
    "isCIDR": _is(_network),
}
METHODS: dict[str, Callable[..., Any]] = {
    "sign": _amount(lambda a: (a.value > 0) - (a.value < 0)),
    "isInteger": _amount(lambda a: a.value.denominator == 1 and abs(a.value) < 2**63),
    "asInteger": _amount(_as_integer),
    "asApproximateFloat": _amount(lambda a: float(a.value)),
    "add": _amount(_added),
    "sub": _amount(lambda a, b: _added(a, b, -1)),
    "isGreaterThan": _amount(lambda a, b: a.value > b.value),
    "isLessThan": _amount(lambda a, b: a.value < b.value),
    "compareTo": _amount(lambda a, b: (a.value > b.value) - (a.value < b.value)),
    "getScheme": _of_url(lambda u: u.scheme),
    "getHost": _of_url(_host),
    "getHostname": _of_url(lambda u: u.hostname or ""),
    "getPort": _of_url(lambda u: str(u.port or "")),
    "getEscapedPath": _of_url(lambda u: quote(u.path, safe="/%:@!$&'()*+,;=~-._")),
    "getQuery": _of_url(lambda u: parse_qs(u.query, keep_blank_values=True)),
    "family": _of_address(lambda a: a.version),
    "isUnspecified": _of_address(lambda a: a.is_unspecified),
    "isLoopback": _of_address(lambda a: a.is_loopback),
    "isLinkLocalMulticast": _of_address(
        lambda a: a.is_multicast and str(a).startswith(("224.0.0.", "ff02:"))
    ),
    "isLinkLocalUnicast": _of_address(lambda a: a.is_link_local),
    "isGlobalUnicast": _of_address(
        lambda a: not (a.is_multicast or a.is_loopback or a.is_unspecified or a.is_link_local)
    ),
    "ip": _of_address(lambda n: n.ip),
    "masked": _of_address(lambda n: ipaddress.ip_interface(str(n.network))),
    "prefixLength": _of_address(lambda n: n.network.prefixlen),
    "containsIP": _of_address(_contains),
    "containsCIDR": _of_address(_contains_network),
}
