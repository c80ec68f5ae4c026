"""`registries.yaml`, in k3s's format: where images are fetched from instead, and as whom; pure.

    mirrors:
      "*" or a host:
        endpoint: [http://127.0.0.1:5000, …]     tried in order, then the registry itself
        rewrite: {"^library/(.*)": "mirror/$1"}  of the path, the first that fits
    configs:
      host:port:
        auth: {username: …, password: …}  or {auth: …}  or {identity_token: …}
        tls: {insecure_skip_verify: true}

An image that came from a mirror gets its own name. What names a digest is fetched from mirrors,
too, but engines can't give it that name, so of it only the registry itself is asked. Files for TLS
(`ca_file` and its kin) are the engines' own affair: theirs is `certs.d`.

Source: k3s documentation, "Private Registry Configuration".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import yaml

from appliance.node.images.credentials import Keyring, Login, decoded, logins_for
from appliance.node.images.names import Reference


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where one registry's images are had."""

    endpoints: tuple[str, ...] = ()
    rewrites: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class HostConfig:
    """How one host is spoken with."""

    login: Login | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Try:
    """One way to get an image."""

    name: str
    host: str
    login: Login | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Registries:
    """The file."""

    mirrors: Mapping[str, Mirror] = field(default_factory=dict)
    configs: Mapping[str, HostConfig] = field(default_factory=dict)
    ask_registry: bool = True
    """Whether the registry itself is asked where it has mirrors."""

    def ways(self, name: str, ref: Reference, ring: Keyring) -> list[Try]:
        """Every way to this image, in order."""
        found: list[Try] = []
        mirror = self.mirrors.get(ref.host) or self.mirrors.get("*")
        if mirror is not None and not ref.digest:
            for endpoint in mirror.endpoints:
                found += self._from_mirror(endpoint, mirror, ref)
        if self.ask_registry or not found:
            config = self.configs.get(ref.host, HostConfig())
            own = [config.login] if config.login is not None else []
            logins: Sequence[Login | None] = [*logins_for(ring, ref), *own] or [None]
            found += [Try(name, ref.host, login, config.insecure) for login in logins]
        return found

    def _from_mirror(self, endpoint: str, mirror: Mirror, ref: Reference) -> list[Try]:
        url = urlsplit(endpoint)
        config = self.configs.get(url.netloc, HostConfig())
        path = _rewritten(ref.path, mirror.rewrites)
        inside = url.path.strip("/").removeprefix("v2").strip("/")
        where = ref.on(url.netloc, f"{inside}/{path}" if inside else path)
        insecure = config.insecure or url.scheme == "http"
        return [Try(where, url.netloc, config.login, insecure)]


def parse(text: str, *, ask_registry: bool = True) -> Registries:
    """Read the file.

    Raises:
        ValueError: it is not of that format; says where.
    """
    try:
        body = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {error}") from error
    mirrors = {host: _mirror(host, one) for host, one in _table(body, "mirrors").items()}
    configs = {host: _config(host, one) for host, one in _table(body, "configs").items()}
    return Registries(mirrors, configs, ask_registry)


def _table(body: Any, name: str) -> Mapping[str, Any]:
    found = body.get(name) or {} if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise ValueError(f"{name} must be a map of hosts")  # noqa: TRY004 - one error for bad files
    return found


def _mirror(host: str, one: Any) -> Mirror:
    body = one or {}
    endpoints = body.get("endpoint") or []
    if not isinstance(endpoints, list):
        raise ValueError(f"mirrors.{host}.endpoint must be a list")  # noqa: TRY004 - as above
    for endpoint in endpoints:
        if urlsplit(str(endpoint)).scheme not in {"http", "https"}:
            raise ValueError(f"mirrors.{host}.endpoint: {endpoint!r} must be an http(s) URL")
    rewrites = tuple((str(k), str(v)) for k, v in (body.get("rewrite") or {}).items())
    for pattern, _ in rewrites:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"mirrors.{host}.rewrite: {pattern!r}: {error}") from error
    return Mirror(tuple(map(str, endpoints)), rewrites)


def _config(host: str, one: Any) -> HostConfig:
    body = one or {}
    auth, tls = body.get("auth") or {}, body.get("tls") or {}
    if not isinstance(auth, dict) or not isinstance(tls, dict):
        raise ValueError(f"configs.{host}: auth and tls must be maps")  # noqa: TRY004 - as above
    login = None
    if auth.get("identity_token"):
        login = Login(identity_token=str(auth["identity_token"]))
    elif auth.get("auth"):
        login = decoded(str(auth["auth"]))
    elif auth.get("username"):
        login = Login(str(auth["username"]), str(auth.get("password") or ""))
    return HostConfig(login, bool(tls.get("insecure_skip_verify")))


def _rewritten(path: str, rewrites: Sequence[tuple[str, str]]) -> str:
    for pattern, instead in rewrites:
        if re.search(pattern, path):
            return re.sub(pattern, re.sub(r"\$(\d+)", r"\\\1", instead), path)
    return path
