"""The table of routes as HAProxy's configuration. Pure.

Every word that users chose stands in strong quotes. Source: HAProxy 2.6 configuration manual.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from appliance.control.ingress.routes import Route, Target

_HEAD = """\
global
    maxconn 4096
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    option forwardfor
    option redispatch
    retries 2
    timeout client 60s
    timeout connect 5s
    timeout http-request 15s
    timeout server 60s
    timeout tunnel 1h
"""
_NOWHERE = """\
backend nowhere
    http-request return status 404 content-type text/plain string "404 page not found"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where requests come in."""

    address: str
    http_port: int
    https_port: int
    certificates: str
    """Path of the list of certificates."""


def config_of(routes: Sequence[Route], entry: Entry) -> str:
    """The whole file."""
    targets = {route.target.name: route.target for route in routes}
    lines = [_HEAD.rstrip("\n"), *_frontend(routes, entry)]
    for target in targets.values():
        lines += _backend(target)
    return "\n".join([*lines, _NOWHERE])


def certificate_list(hosts_of: Mapping[str, Sequence[str]], default: str) -> str:
    """Paths of certificates and the hosts they are for; what fits none gets `default`."""
    lines = [default]
    for path, hosts in sorted(hosts_of.items()):
        lines.append(" ".join([path, "[alpn h2,http/1.1]", *sorted(hosts)]))
    return "\n".join(lines) + "\n"


def _frontend(routes: Sequence[Route], entry: Entry) -> list[str]:
    lines = [
        "frontend entry",
        f"    bind {entry.address}:{entry.http_port}",
        f"    bind {entry.address}:{entry.https_port} ssl crt-list {quoted(entry.certificates)}",
        "    http-request set-header X-Forwarded-Proto https if { ssl_fc }",
        "    http-request set-header X-Forwarded-Proto http unless { ssl_fc }",
        "    http-request set-header X-Forwarded-Host %[req.hdr(host)]",
        "    http-request set-var(txn.host) req.hdr(host),host_only,lower",
    ]
    for host, found in groupby(routes, lambda route: route.host):
        condition = _host(host)
        lines += [line for route in found for line in _uses(route, condition)]
        if condition:
            # A host that is served is not served by what is there for others.
            lines.append(f"    use_backend nowhere if {condition}")
    return [*lines, "    default_backend nowhere"]


def _uses(route: Route, host: str) -> list[str]:
    conditions = (f"{host} {path}".strip() for path in _paths(route))
    return [f"    use_backend {route.target.name} if {condition}" for condition in conditions]


def _paths(route: Route) -> list[str]:
    if route.exact:
        return [f"{{ path -m str {quoted(route.path)} }}"]
    if route.path == "/":
        return ["{ path_beg / }"]
    return [
        f"{{ path -m str {quoted(route.path)} }}",
        f"{{ path_beg {quoted(route.path + '/')} }}",
    ]


def _host(host: str) -> str:
    if not host:
        return ""
    if host.startswith("*."):
        form = r"^[^.]+\." + re.escape(host[2:]) + "$"
        return f"{{ var(txn.host) -m reg {quoted(form)} }}"
    return f"{{ var(txn.host) -m str {quoted(host)} }}"


def _backend(target: Target) -> list[str]:
    address = f"[{target.address}]" if ":" in target.address else target.address
    return [f"backend {target.name}", f"    server service {address}:{target.port}"]


def quoted(word: str) -> str:
    """A word as HAProxy reads it, whatever is in it.

    Raises:
        ValueError: it holds a control character, which nothing can quote.
    """
    if any(ord(sign) < ord(" ") or ord(sign) == 127 for sign in word):
        raise ValueError(f"control characters in {word!r}")
    return "'" + word.replace("'", "'\\''") + "'"
