"""Facts that others must be asked for: engines their version, a server the time."""

import asyncio
import http.client
import json
import shutil
import socket
import ssl
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from appliance.host.checks.facts import Engine
from appliance.host.engines import DAEMONS, SOCKETS, Kind
from appliance.kit.clock import Clock

_ANSWER_S = 5.0
_KINDS: tuple[Kind, ...] = ("docker", "podman")


async def engines() -> tuple[Engine, ...]:
    """What answers at the engines' usual sockets."""
    return tuple([await asyncio.to_thread(_engine, kind) for kind in _KINDS])


async def clock_of(url: str, clock: Clock) -> tuple[float | None, str]:
    """How far our clock is ahead of a server's, by the date of its answer, or why not."""
    before = clock.wall()
    try:
        theirs = await asyncio.to_thread(_date_of, url)
    except (OSError, ValueError, http.client.HTTPException) as fault:
        return None, str(fault) or type(fault).__name__
    return (before + clock.wall()) / 2 - theirs, ""


def _engine(kind: Kind) -> Engine:
    path = SOCKETS[kind]
    connection = http.client.HTTPConnection("localhost", timeout=_ANSWER_S)
    installed = shutil.which(DAEMONS[kind]) is not None
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(_ANSWER_S)
        try:
            sock.connect(path)
            connection.sock = sock
            connection.request("GET", "/version")
            version = str(json.loads(connection.getresponse().read(1 << 20))["Version"])
        except (OSError, ValueError, KeyError, http.client.HTTPException) as fault:
            why = getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
            return Engine(kind=kind, endpoint=path, fault=why, installed=installed)
    return Engine(kind=kind, endpoint=path, version=version, installed=installed)


def _date_of(url: str) -> float:
    parts = urlsplit(url if "//" in url else f"https://{url}:6443")
    connection: http.client.HTTPConnection
    if parts.scheme == "http":
        connection = http.client.HTTPConnection(parts.netloc, timeout=_ANSWER_S)
    else:
        # Only the time is read; a wrong clock would make any certificate look wrong.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(parts.netloc, timeout=_ANSWER_S, context=context)
    try:
        connection.request("GET", "/livez")
        date = connection.getresponse().getheader("date")
    finally:
        connection.close()
    if not date:
        raise ValueError("its answer has no date")
    return parsedate_to_datetime(date).timestamp()
