"""Stored bytes to objects and back.

In the store an object is its JSON without resourceVersion, because the revision is only known
once it is written; `kind` and `apiVersion` come first. What is sent is the same bytes with the
resourceVersion put in behind the uid, where Go's field order has it: one copy, no second
encoding. A worked example, revision 7:

    stored  {"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","uid":"U"},"data":{}}
    sent    {…"metadata":{"name":"a","uid":"U","resourceVersion":"7"},"data":{}}

Called by the registry's storage and watch cache only. Keeps one decoder per kind.
"""

import re
from functools import cache
from typing import Any

import msgspec
import structlog

from appliance.api import codec
from appliance.api.custom.object import is_custom
from appliance.api.kind import Kind, T
from appliance.control.registry.base import Stored
from appliance.kit import jsonio

log = structlog.get_logger(__name__)

_UID = re.compile(rb',"uid":"[0-9a-f-]{36}"')
"""Before it stand only the kind and metadata's name, generateName and namespace; quotes inside
these would be escaped, so the first match is metadata.uid."""


@cache
def _decoder(type_: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_)


def store_key(kind: Kind[Any], key: str) -> bytes:
    """Where an object lies; `key` is namespace/name, or name."""
    return (kind.storage_prefix() + key).encode()


def object_key(kind: Kind[Any], stored_key: bytes) -> str:
    """Turn a key of the store into namespace/name, or name."""
    return stored_key[len(kind.storage_prefix()) :].decode(errors="replace")


def key_of(kind: Kind[Any], namespace: str, name: str) -> str:
    """`namespace/name`, or `name` for kinds without namespaces."""
    return f"{namespace}/{name}" if kind.namespaced else name


def to_store(kind: Kind[T], obj: T) -> bytes:
    """Encode an object for the store; sets its kind and clears its resourceVersion."""
    if kind.stored_as:
        return to_store(kind.stored_as.kind, kind.stored_as.to_stored(obj))
    obj.kind, obj.apiVersion = kind.kind, kind.api_version
    obj.metadata.resourceVersion = ""
    return codec.encode(obj)


def from_store(kind: Kind[T], value: bytes, revision: int) -> Stored[T]:
    """Decode what the store holds."""
    if kind.stored_as:
        whole = from_store(kind.stored_as.kind, value, revision).obj
        view: T = kind.stored_as.from_stored(whole)
        view.kind, view.apiVersion = kind.kind, kind.api_version
        view.metadata.resourceVersion = str(revision)
        return Stored(view, codec.encode(view), revision)
    if is_custom(kind.type):
        custom: T = codec.from_stored(kind.type, value)
        custom.kind, custom.apiVersion = kind.kind, kind.api_version
        custom.metadata.resourceVersion = str(revision)
        return Stored(custom, codec.encode(custom), revision)
    obj: T = _decoder(kind.type).decode(value)
    obj.metadata.resourceVersion = str(revision)
    return Stored(obj, with_revision(value, obj, revision), revision)


def readable(kind: Kind[T], value: bytes, revision: int, *, key: str) -> Stored[T] | None:
    """Decode what the store holds; None, and a log line, for bytes that are no object.

    The store has other doors: one broken key must not take the whole kind away.
    """
    try:
        item = from_store(kind, value, revision)
    except msgspec.DecodeError as error:
        why = str(error)
    else:
        meta = item.obj.metadata
        if key_of(kind, meta.namespace, meta.name) == key:
            return item
        why = f"it names itself {key_of(kind, meta.namespace, meta.name)}"
    log.error(
        "stored bytes are no object: left out until the key is written anew or deleted",
        key=kind.storage_prefix() + key,
        revision=revision,
        why=why,
    )
    return None


def with_revision(value: bytes, obj: Any, revision: int) -> bytes:
    """Put the resourceVersion into stored bytes; `obj`, which has it, is the slow way out."""
    if found := _UID.search(value):
        at = found.end()
        return b'%b,"resourceVersion":"%d"%b' % (value[:at], revision, value[at:])
    return codec.encode(obj)


def at_revision(item: Stored[T], revision: int) -> Stored[T]:
    """The same state under another revision: the last words of a deleted object."""
    obj = msgspec.structs.replace(item.obj)
    obj.metadata = msgspec.structs.replace(item.obj.metadata, resourceVersion=str(revision))
    old = b'"resourceVersion":"%d"' % item.revision
    new = b'"resourceVersion":"%d"' % revision
    return Stored(obj, item.json.replace(old, new, 1), revision)


def marker(kind: Kind[T], revision: int, *, initial_end: bool = False) -> Stored[T]:
    """A bookmark: an empty object that only carries a revision."""
    obj = kind.type()
    obj.kind, obj.apiVersion = kind.kind, kind.api_version
    obj.metadata.resourceVersion = str(revision)
    meta: dict[str, Any] = {"resourceVersion": str(revision)}
    if initial_end:
        obj.metadata.annotations = {"k8s.io/initial-events-end": "true"}
        meta["annotations"] = obj.metadata.annotations
    body = codec.to_plain(obj)
    return Stored(obj, jsonio.dumps({**body, "metadata": {**body["metadata"], **meta}}), revision)
