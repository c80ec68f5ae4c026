"""The token that leads to the next page of a list: which revision, and where it begins.

Opaque to clients; the shape is upstream's, base64 of JSON. Used by `listing` only.
"""

import base64
import binascii
from typing import Any

from appliance.api.errors import BadRequest
from appliance.api.json_fault import json_fault
from appliance.kit import jsonio

_VERSION = "meta.k8s.io/v1"


def encode_continue(revision: int, start: str) -> str:
    """Say where the next page begins, at which revision."""
    text = jsonio.dumps({"v": _VERSION, "rv": revision, "start": start})
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def decode_continue(token: str) -> tuple[int, str]:
    """Revision (-1: the newest, where the first page's is gone) and first key of a token.

    Raises:
        BadRequest: it is not one of ours.
    """
    body = _read(token)
    if not isinstance(body, dict) or body.get("v") != _VERSION:
        version = body.get("v") if isinstance(body, dict) else ""
        raise _refusal(f"server does not recognize this encoded version {version}")
    try:
        return int(body["rv"]), str(body["start"])
    except (TypeError, KeyError, ValueError) as error:
        raise _refusal(
            "incorrect encoded start resourceVersion (version meta.k8s.io/v1)"
        ) from error


def _read(token: str) -> Any:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise _refusal("illegal base64 data") from error
    try:
        return jsonio.loads(raw)
    except jsonio.JsonError as error:
        raise _refusal(json_fault(raw) or str(error)) from error


def _refusal(why: str) -> BadRequest:
    return BadRequest(f"invalid continue token: continue key is not valid: {why}")
