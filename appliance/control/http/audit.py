"""The audit log: who asked for what, when, and what was answered; one JSON object a line.

Called by `middleware.Observe` at the end of each request (of a watch, too). The form is
upstream's (audit.k8s.io/v1), stage ResponseComplete. Written at once, without fsync: an answer
does not wait for the disk. A file that gets over `SIZE_MAX_BYTES` is put aside as `.1`, older
ones go up to `.{KEPT}`. A disk that takes nothing any more is told once, and requests go on.
"""

import os
from pathlib import Path
from typing import Any

import structlog

from appliance.control.http.auditpolicy import Policy
from appliance.control.http.exchange import Exchange
from appliance.control.registry.base import User
from appliance.kit import jsonio
from appliance.kit.clock import rfc3339_micro

log = structlog.get_logger(__name__)

SIZE_MAX_BYTES = 100 * 1024 * 1024
KEPT = 5
_MODE = 0o600


class AuditLog:
    """Appends to a file."""

    def __init__(self, path: Path, policy: Policy, *, size_max_bytes: int = SIZE_MAX_BYTES) -> None:
        self._path = path
        self._policy = policy
        self._size_max_bytes = size_max_bytes
        self._is_broken = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._open()

    def record(
        self, exchange: Exchange, *, audit_id: str, code: int, began: float, ended: float
    ) -> None:
        """Write down an answered request, if the policy wants it."""
        user = exchange.impersonator or exchange.user
        if not self._policy.logs(user, exchange.target):
            return
        event = event_of(exchange, audit_id=audit_id, code=code, began=began, ended=ended)
        self._write(jsonio.dumps(event) + b"\n")

    def close(self) -> None:
        """Free the file."""
        os.close(self._file)

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _MODE)
        self._size_bytes = os.fstat(self._file).st_size

    def _write(self, line: bytes) -> None:
        try:
            if self._size_bytes and self._size_bytes + len(line) > self._size_max_bytes:
                self._turn_over()
            self._size_bytes += os.write(self._file, line)
        except OSError as error:
            if not self._is_broken:
                log.warning("audit log takes nothing", path=str(self._path), why=str(error))
            self._is_broken = True
        else:
            self._is_broken = False

    def _turn_over(self) -> None:
        for number in range(KEPT - 1, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            if older.exists():
                older.replace(self._path.with_name(f"{self._path.name}.{number + 1}"))
        os.close(self._file)
        self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        self._open()


def event_of(
    exchange: Exchange, *, audit_id: str, code: int, began: float, ended: float
) -> dict[str, Any]:
    """Make the log's view of a request."""
    scope, target = exchange.scope, exchange.target
    query = scope["query_string"].decode("latin-1")
    event: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": audit_id,
        "stage": "ResponseComplete",
        "requestURI": f"{target.path}?{query}" if query else target.path,
        "verb": target.verb,
        "user": _user(exchange.impersonator or exchange.user),
        "sourceIPs": [scope["client"][0]] if scope.get("client") else [],
        "userAgent": exchange.agent,
        "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": rfc3339_micro(began),
        "stageTimestamp": rfc3339_micro(ended),
    }
    if exchange.impersonator is not None:
        event["impersonatedUser"] = _user(exchange.user)
    if target.resource:
        named = {
            "resource": target.resource,
            "namespace": target.namespace,
            "name": target.name,
            "apiGroup": target.group,
            "apiVersion": target.version,
            "subresource": target.subresource,
        }
        event["objectRef"] = {name: value for name, value in named.items() if value}
    if exchange.notes:
        event["annotations"] = dict(exchange.notes)
    return event


def _user(user: User) -> dict[str, Any]:
    shown: dict[str, Any] = {"username": user.name}
    if user.uid:
        shown["uid"] = user.uid
    if user.groups:
        shown["groups"] = list(user.groups)
    if user.extra:
        shown["extra"] = {name: list(values) for name, values in user.extra.items()}
    return shown
