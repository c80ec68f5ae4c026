"""API errors: exceptions on this side, `Status` objects on the wire.

    ApiError
      BadRequest            400
      Unauthorized          401
      Forbidden             403
      NotFound              404
      MethodNotAllowed      405
      NotAcceptable         406
      AlreadyExists         409
      Conflict              409
      Expired               410   also for watches that are too far behind
      TooLarge              413
      UnsupportedMediaType  415
      Invalid               422   with one cause per faulty field
      TooManyRequests       429
      InternalError         500
      ServiceUnavailable    503
      Timeout               504

Messages and reasons follow kube-apiserver word for word: kubectl prints them, programs match
them. Source: apimachinery `api/errors`.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Cause:
    """One fault: `reason` such as FieldValueInvalid, a message, and the field path."""

    reason: str
    message: str
    field: str = ""


@dataclass(slots=True)
class Details:
    """What a Status is about."""

    name: str = ""
    group: str = ""
    kind: str = ""
    uid: str = ""
    causes: list[Cause] = field(default_factory=list)
    retry_after_s: int = 0


class ApiError(Exception):
    """An answer other than success."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(self, message: str, details: Details | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def status(self) -> dict[str, Any]:
        """Give the Status object as plain JSON data."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = _details(self.details)
        body["code"] = self.code
        return body


class BadRequest(ApiError):
    """The request can't be understood."""

    code = 400
    reason = "BadRequest"


class Unauthorized(ApiError):
    """Nobody knows who is asking."""

    code = 401
    reason = "Unauthorized"


class Forbidden(ApiError):
    """The asker may not do this."""

    code = 403
    reason = "Forbidden"


class NotFound(ApiError):
    """There is no such object or resource."""

    code = 404
    reason = "NotFound"


class MethodNotAllowed(ApiError):
    """The resource has no such verb."""

    code = 405
    reason = "MethodNotAllowed"


class NotAcceptable(ApiError):
    """None of the asked-for media types can be given."""

    code = 406
    reason = "NotAcceptable"


class AlreadyExists(ApiError):
    """The name is taken."""

    code = 409
    reason = "AlreadyExists"


class Conflict(ApiError):
    """Somebody else changed the object, or owns the field."""

    code = 409
    reason = "Conflict"


class Expired(ApiError):
    """The asked-for revision is compacted."""

    code = 410
    reason = "Expired"


class TooLarge(ApiError):
    """The body is over the limit."""

    code = 413
    reason = "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    """The body's media type is not understood."""

    code = 415
    reason = "UnsupportedMediaType"


class Invalid(ApiError):
    """The object breaks a rule; the causes name the fields."""

    code = 422
    reason = "Invalid"


class TooManyRequests(ApiError):
    """Come back later; `details.retry_after_s` says when."""

    code = 429
    reason = "TooManyRequests"


class InternalError(ApiError):
    """Our fault."""

    code = 500
    reason = "InternalError"


class ServiceUnavailable(ApiError):
    """Something behind us does not answer."""

    code = 503
    reason = "ServiceUnavailable"


class Timeout(ApiError):
    """It took too long, or the revision lies in the future."""

    code = 504
    reason = "Timeout"


_BY_REASON: dict[str, type[ApiError]] = {kind.reason: kind for kind in ApiError.__subclasses__()}
_BY_CODE: dict[int, type[ApiError]] = {kind.code: kind for kind in ApiError.__subclasses__()}


def from_status(body: dict[str, Any]) -> ApiError:
    """Turn a Status object that a server sent into the exception it stands for."""
    code = int(body.get("code") or 500)
    kind = _BY_REASON.get(body.get("reason") or "") or _BY_CODE.get(code, ApiError)
    raw = body.get("details") or {}
    details = Details(
        name=raw.get("name", ""),
        group=raw.get("group", ""),
        kind=raw.get("kind", ""),
        uid=raw.get("uid", ""),
        causes=[
            Cause(c.get("reason", ""), c.get("message", ""), c.get("field", ""))
            for c in raw.get("causes") or ()
        ],
        retry_after_s=int(raw.get("retryAfterSeconds") or 0),
    )
    return kind(body.get("message", ""), details)


def qualified(plural: str, group: str) -> str:
    """Name a resource as messages do: `pods`, `deployments.apps`."""
    return f"{plural}.{group}" if group else plural


def not_found(plural: str, group: str, name: str) -> NotFound:
    """`pods "x" not found`."""
    message = f'{qualified(plural, group)} "{name}" not found'
    return NotFound(message, Details(name=name, group=group, kind=plural))


def already_exists(plural: str, group: str, name: str) -> AlreadyExists:
    """`configmaps "x" already exists`."""
    message = f'{qualified(plural, group)} "{name}" already exists'
    return AlreadyExists(message, Details(name=name, group=group, kind=plural))


def conflict(plural: str, group: str, name: str, why: str) -> Conflict:
    """`Operation cannot be fulfilled on configmaps "x": …`."""
    message = f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}'
    return Conflict(message, Details(name=name, group=group, kind=plural))


STALE = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def invalid(kind: str, group: str, name: str, causes: list[Cause]) -> Invalid:
    """One 422 for all faults of an object; each cause names its field."""
    unique = list(dict.fromkeys(f"{c.field}: {c.message}" for c in causes))
    listed = unique[0] if len(unique) == 1 else "[" + ", ".join(unique) + "]"
    title = f"{kind}.{group}" if group else kind
    message = f'{title} "{name}" is invalid: {listed}'
    return Invalid(message, Details(name=name, group=group, kind=kind, causes=causes))


def _details(details: Details) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for key in ("name", "group", "kind", "uid"):
        if value := getattr(details, key):
            body[key] = value
    if details.causes:
        body["causes"] = [
            {"reason": c.reason, "message": c.message, **({"field": c.field} if c.field else {})}
            for c in details.causes
        ]
    if details.retry_after_s:
        body["retryAfterSeconds"] = details.retry_after_s
    return body
