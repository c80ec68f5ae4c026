"""The question that a webhook gets, and what its answer means. Pure.

Source: kubernetes `staging/src/k8s.io/api/admission/v1`, apiserver `plugin/webhook/request`.
"""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any

from appliance.api import codec, errors
from appliance.api.errors import Details
from appliance.control.access.steps.base import Attempt
from appliance.kit import jsonio

Json = dict[str, Any]
_OPTIONS = {"create": "CreateOptions", "update": "UpdateOptions", "delete": "DeleteOptions"}


class BadAnswer(Exception):
    """The webhook said something that is no answer."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a webhook said."""

    allowed: bool
    patch: Any = None
    warnings: list[str] = field(default_factory=list)
    status: Json = field(default_factory=dict)


def question(attempt: Attempt, uid: str) -> Json:
    """Make the AdmissionReview about a write."""
    kind, user = attempt.kind, attempt.call.user
    what = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    where = {"group": kind.group, "version": kind.version, "resource": kind.plural}
    request: Json = {
        "uid": uid,
        "kind": what,
        "resource": where,
        "requestKind": what,
        "requestResource": where,
        "operation": attempt.verb.upper(),
        "userInfo": {"username": user.name, "groups": list(user.groups)},
        "object": _plain(attempt, attempt.obj),
        "oldObject": _plain(attempt, attempt.old),
        "dryRun": attempt.call.dry_run,
        "options": {"kind": _OPTIONS[attempt.verb], "apiVersion": "meta.k8s.io/v1"},
    }
    if user.uid:
        request["userInfo"]["uid"] = user.uid
    for name, value in (
        ("name", attempt.name),
        ("namespace", attempt.namespace),
        ("subResource", attempt.subresource),
        ("requestSubResource", attempt.subresource),
    ):
        if value:
            request[name] = value
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


def _plain(attempt: Attempt, obj: Any) -> Any:
    if obj is None:
        return None
    names = {"kind": attempt.kind.kind, "apiVersion": attempt.kind.api_version}
    return {**codec.to_plain(obj), **names}


def verdict(body: bytes, uid: str) -> Verdict:
    """Read the answer.

    Raises:
        BadAnswer: it makes no sense.
    """
    try:
        response = jsonio.loads(body)["response"]
        if response.get("uid") != uid:
            raise BadAnswer(f'expected response.uid="{uid}", got "{response.get("uid")}"')
        packed = response.get("patch")
        patch = jsonio.loads(base64.b64decode(packed)) if packed else None
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise BadAnswer(f"webhook response is no AdmissionReview: {error}") from error
    if patch is not None and response.get("patchType") != "JSONPatch":
        raise BadAnswer('webhook returned response.patch but patchType is not "JSONPatch"')
    return Verdict(
        allowed=response.get("allowed") is True,
        patch=patch,
        warnings=[str(text) for text in response.get("warnings") or ()],
        status=response.get("status") or {},
    )


def denied(name: str, status: Json) -> errors.ApiError:
    """Make the answer to a write that a webhook does not allow."""
    why = str(status.get("message") or status.get("reason") or "")
    start = f'admission webhook "{name}" denied the request'
    text = f"{start}: {why}" if why else f"{start} without explanation"
    error = errors.Forbidden(text, Details())
    code = status.get("code")
    if isinstance(code, int) and 400 <= code < 600:
        error.code = code  # type: ignore[misc]  # the webhook's own
        error.reason = str(status.get("reason") or "")  # type: ignore[misc]
    return error
