"""Who we are to a registry: logins out of pull secrets; pure.

A secret holds `.dockerconfigjson` (`{"auths": {…}}`) or the older `.dockercfg` (the inner map). Its
keys are hosts, with or without scheme, port and path; `*` in a part of the host stands for one
part. The longest path that fits is tried first, as upstream does.

A `Login` never shows what it holds: not in logs, not in tracebacks.
"""

import base64
import binascii
import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.api.kinds.core.secret import Secret
from appliance.kit import jsonio
from appliance.node.images.names import DEFAULT_HOST, Reference

CONFIG_JSON, CONFIG = ".dockerconfigjson", ".dockercfg"
_API_PATHS = {"v1", "v2"}


@dataclass(frozen=True, slots=True)
class Login:
    """One name and password, or a token that stands for both."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    def header(self, host: str) -> str:
        """What engines take as `X-Registry-Auth`."""
        body: dict[str, Any] = {"serveraddress": host}
        if self.identity_token:
            body["identitytoken"] = self.identity_token
        else:
            body |= {"username": self.username, "password": self.password}
        return base64.urlsafe_b64encode(jsonio.dumps(body)).decode()


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a login holds."""

    host: str
    path: str
    login: Login


Keyring = tuple[Entry, ...]


def keyring(secrets: Iterable[Secret]) -> Keyring:
    """All logins of these secrets; what can't be read has none."""
    found: list[Entry] = []
    for secret in secrets:
        for key, entry in _entries(secret).items():
            login = _login(entry)
            if login is not None:
                found.append(Entry(*_place(key), login))
    return tuple(sorted(found, key=lambda e: (e.host, e.path), reverse=True))


def logins_for(ring: Keyring, ref: Reference) -> list[Login]:
    """The logins that fit an image, each once, the most particular first."""
    found = [entry.login for entry in ring if _fits(entry, ref)]
    return list(dict.fromkeys(found))


def _entries(secret: Secret) -> Mapping[str, Any]:
    data = secret.data
    name = CONFIG_JSON if CONFIG_JSON in data else CONFIG
    try:
        body = jsonio.loads(data.get(name) or b"{}")
    except jsonio.JsonError:
        return {}
    if name == CONFIG_JSON and isinstance(body, dict):
        body = body.get("auths")
    return body if isinstance(body, dict) else {}


def _login(entry: Any) -> Login | None:
    if not isinstance(entry, dict):
        return None
    if entry.get("identitytoken"):
        return Login(identity_token=str(entry["identitytoken"]))
    name, word = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        return decoded(str(entry["auth"]))
    return Login(name, word) if name or word else None


def decoded(auth: str) -> Login | None:
    """A login from the base64 of `name:password`; None if it is none."""
    try:
        name, colon, word = base64.b64decode(auth).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Login(name, word) if colon else None


def _place(key: str) -> tuple[str, str]:
    """Host and path of a key, without scheme, and without the path of the registry's API."""
    bare = re.sub(r"^https?://", "", key)
    host, _, path = bare.partition("/")
    path = path.strip("/")
    if path in _API_PATHS:
        path = ""
    return (DEFAULT_HOST if host == f"index.{DEFAULT_HOST}" else host), path


def _fits(entry: Entry, ref: Reference) -> bool:
    wanted, here = entry.host.split("."), ref.host.split(".")
    same = len(wanted) == len(here) and all(map(fnmatch.fnmatchcase, here, wanted))
    return same and (not entry.path or f"{ref.path}/".startswith(f"{entry.path}/"))
