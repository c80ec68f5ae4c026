"""Kubeconfig files: write one with everything embedded, read one that anybody wrote.

`assembly` writes the administrator's and the agent's; `HttpClient` is made from what `read` gives.
Files hold keys: they are written whole, and readable by their owner only.
Source: client-go `tools/clientcmd/api/v1`.
"""

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from appliance.kit.atomicfile import write_atomic

_NAME = "appliance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where a cluster is, and the credentials to come in with; all PEM as bytes."""

    server: str
    """https://host:port"""
    ca_pem: bytes = b""
    cert_pem: bytes = b""
    key_pem: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    namespace: str = ""


class KubeconfigError(Exception):
    """The file can't be read; the message says which entry is missing or wrong."""


def write_kubeconfig(path: Path, access: Access, *, user: str = "admin", mode: int = 0o600) -> None:
    """Write a kubeconfig with one context, and make it the current one."""
    write_atomic(path, render(access, user=user).encode(), mode=mode)


def render(access: Access, *, user: str = "admin") -> str:
    """Give the text of such a file."""
    cluster: dict[str, Any] = {"server": access.server}
    if access.ca_pem:
        cluster["certificate-authority-data"] = _packed(access.ca_pem)
    credentials: dict[str, Any] = {}
    if access.cert_pem:
        credentials["client-certificate-data"] = _packed(access.cert_pem)
        credentials["client-key-data"] = _packed(access.key_pem)
    if access.token:
        credentials["token"] = access.token
    context = {"cluster": _NAME, "user": user}
    if access.namespace:
        context["namespace"] = access.namespace
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": _NAME, "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": _NAME, "context": context}],
        "current-context": _NAME,
    }
    return yaml.safe_dump(body, sort_keys=False)


def read_kubeconfig(path: Path, context: str = "") -> Access:
    """Read the current context of a file, or the named one; paths in it are relative to it.

    Raises:
        KubeconfigError: it is no kubeconfig, or lacks what the context names.
    """
    try:
        body = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise KubeconfigError(f"{path}: {error}") from error
    if not isinstance(body, dict):
        raise KubeconfigError(f"{path}: not a kubeconfig")
    wanted = context or str(body.get("current-context") or "")
    chosen = _entry(path, body, "contexts", wanted)
    cluster = _entry(path, body, "clusters", str(chosen.get("cluster", "")))
    user = _entry(path, body, "users", str(chosen.get("user", "")))
    if not cluster.get("server"):
        raise KubeconfigError(f"{path}: cluster {chosen.get('cluster')!r} has no server")
    return Access(
        server=str(cluster["server"]).rstrip("/"),
        ca_pem=_bytes(path, cluster, "certificate-authority"),
        cert_pem=_bytes(path, user, "client-certificate"),
        key_pem=_bytes(path, user, "client-key"),
        token=_token(path, user),
        namespace=str(chosen.get("namespace") or ""),
    )


def _entry(path: Path, body: dict[str, Any], group: str, name: str) -> dict[str, Any]:
    kind = group.removesuffix("s")
    for entry in body.get(group) or ():
        if isinstance(entry, dict) and entry.get("name") == name:
            found: dict[str, Any] = entry.get(kind) or {}
            return found
    raise KubeconfigError(f"{path}: no entry {name!r} in {group}")


def _bytes(path: Path, entry: dict[str, Any], key: str) -> bytes:
    """`<key>-data`, or what the file named by `<key>` holds."""
    packed: str = entry.get(f"{key}-data") or ""
    if not packed:
        return _file(path, entry, key)
    try:
        return base64.b64decode(packed, validate=True)
    except (TypeError, ValueError) as error:
        raise KubeconfigError(f"{path}: {key}-data is not base64") from error


def _token(path: Path, user: dict[str, Any]) -> str:
    if given := user.get("token"):
        return str(given)
    return _file(path, user, "tokenFile").decode().strip()


def _file(path: Path, entry: dict[str, Any], key: str) -> bytes:
    name = entry.get(key)
    if not name:
        return b""
    file = path.parent / str(name)
    try:
        return file.read_bytes()
    except OSError as error:
        raise KubeconfigError(f"{path}: {key}: {error}") from error


def _packed(pem: bytes) -> str:
    return base64.b64encode(pem).decode()
