"""What a request of the keys API asks for, from its query and its form. Pure.

Source: parseKeyRequest in etcd server/etcdserver/api/v2http/client.go.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote_to_bytes

from appliance.store.serve.http1 import HttpRequest
from appliance.store.serve.v2.errors import Code, V2Error
from appliance.store.serve.v2.nodes import clean
from appliance.store.serve.v2.tree import Change

KEYS = "/v2/keys"
_MAX = 2**64 - 1
_TRUE, _FALSE = {"1", "t", "T", "TRUE", "true", "True"}, {"0", "f", "F", "FALSE", "false", "False"}
_Form = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """A request that makes sense."""

    change: Change
    prev_exist: bool | None
    recursive: bool
    wait: bool
    wait_index: int
    stream: bool
    no_value: bool


def parse(request: HttpRequest, now: float) -> KeyRequest:
    """Read it.

    Raises:
        V2Error: it makes no sense.
    """
    form = _form(request)
    prev_index, wait_index = _number(form, "prevIndex"), _number(form, "waitIndex")
    flags = {
        name: _flag(form, name)
        for name in ("recursive", "sorted", "wait", "dir", "quorum", "stream")
    }
    if flags["wait"] and request.method != "GET":
        raise V2Error(Code.INVALID_FIELD, '"wait" can only be used with GET requests')
    prev_value = _first(form, "prevValue")
    if "prevValue" in form and not prev_value:
        raise V2Error(Code.PREV_VALUE_REQUIRED, '"prevValue" cannot be empty')
    no_value = _flag(form, "noValueOnSuccess")
    ttl = _number(form, "ttl", Code.TTL_NAN) if _first(form, "ttl") else None
    prev_exist = _plain_flag(form, "prevExist") if "prevExist" in form else None
    return KeyRequest(
        change=Change(
            key=clean(_path(request.path.removeprefix(KEYS))),
            value=_first(form, "value"),
            is_dir=flags["dir"],
            expires=None if ttl is None else now + ttl,
            refresh=_refresh(form, ttl),
            prev_value=prev_value,
            prev_index=prev_index,
            recursive=flags["recursive"],
        ),
        prev_exist=prev_exist,
        recursive=flags["recursive"],
        wait=flags["wait"],
        wait_index=wait_index,
        stream=flags["stream"],
        no_value=no_value,
    )


def _form(request: HttpRequest) -> _Form:
    kind = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if request.method not in {"PUT", "POST"} or kind != b"application/x-www-form-urlencoded":
        return request.query
    text = request.body.decode("utf-8", "replace")
    broken = re.search(r"%(?![0-9A-Fa-f]{2}).{0,2}", text)
    if broken:
        raise V2Error(Code.INVALID_FORM, f'invalid URL escape "{broken.group()}"')
    body = parse_qs(text, keep_blank_values=True)
    return {**request.query, **body}  # the body comes first


def _refresh(form: _Form, ttl: int | None) -> bool:
    if "refresh" not in form or not _plain_flag(form, "refresh"):
        return False
    if _first(form, "value"):
        raise V2Error(Code.REFRESH_VALUE, "A value was provided on a refresh")
    if ttl is None:
        raise V2Error(Code.REFRESH_TTL_REQUIRED, "No TTL value set")
    return True


def _path(path: str) -> str:
    return unquote_to_bytes(path.encode("latin-1")).decode("utf-8", "replace")


def _first(form: _Form, name: str) -> str:
    return form[name][0] if name in form else ""


def _number(form: _Form, name: str, code: Code = Code.INDEX_NAN) -> int:
    text = _first(form, name)
    if name not in form:
        return 0
    if not re.fullmatch(r"\d+", text, re.ASCII) or int(text) > _MAX:
        raise V2Error(code, f'invalid value for "{name}"')
    return int(text)


def _flag(form: _Form, name: str) -> bool:
    return name in form and _bool(_first(form, name), f'invalid value for "{name}"')


def _plain_flag(form: _Form, name: str) -> bool:
    return _bool(_first(form, name), f"invalid value for {name}")


def _bool(text: str, wrong: str) -> bool:
    if text not in _TRUE | _FALSE:
        raise V2Error(Code.INVALID_FIELD, wrong)
    return text in _TRUE
