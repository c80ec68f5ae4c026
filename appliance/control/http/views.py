"""Objects and lists as bytes, whole, as a Table or as metadata only. Pure.

Whole objects and lists are made of the bytes that the registry keeps: nothing is encoded again.
Tables and metadata are made per request, from the typed objects.
Called by `resources` and `watch`. Source: apiserver `endpoints/handlers/response.go`.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec

from appliance.api.ages import since
from appliance.api.custom.object import is_custom
from appliance.api.kind import Kind
from appliance.api.meta import ListMeta
from appliance.control.http.negotiate import Form, View
from appliance.control.registry.base import Stored, StoredPage
from appliance.kit import jsonio

Items = Sequence[Stored[Any]]
INCLUDES = ("", "Metadata", "None", "Object")


def object_bytes(
    kind: Kind[Any], item: Stored[Any], form: Form, *, now: float, include: str = ""
) -> bytes:
    """One object in the form that was asked for."""
    if form.view is View.WHOLE:
        return item.json
    if form.view is View.TABLE:
        meta = ListMeta(resourceVersion=item.obj.metadata.resourceVersion)
        return Table(kind, form, now=now, include=include).encode([item], meta)
    return partial_bytes(item, form.version)


def page_bytes(
    kind: Kind[Any], page: StoredPage[Any], form: Form, *, now: float, include: str = ""
) -> bytes:
    """A list in the form that was asked for."""
    meta = ListMeta(
        resourceVersion=str(page.revision),
        continue_=page.continue_token,
        remainingItemCount=page.remaining,
    )
    if form.view is View.TABLE:
        return Table(kind, form, now=now, include=include).encode(page.items, meta)
    if form.view is View.WHOLE:
        head = _list_head(kind.list_kind, kind.api_version)
        if is_custom(kind.type):  # written as maps: nothing is left out
            named = {"continue": page.continue_token, **msgspec.to_builtins(meta)}
            return b'%b%b,"items":[%b]}' % (
                head,
                jsonio.dumps(named),
                b",".join(item.json for item in page.items),
            )
        items = _bare_items(kind, page.items)
    else:
        head = _list_head("PartialObjectMetadataList", f"meta.k8s.io/{form.version}")
        items = [partial_bytes(item, form.version) for item in page.items]
    return b'%b%b,"items":[%b]}' % (head, jsonio.dumps(meta), b",".join(items))


def partial_bytes(item: Stored[Any], version: str) -> bytes:
    """Only the metadata of an object."""
    head = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/%b","metadata":' % (
        version.encode()
    )
    return head + jsonio.dumps(item.obj.metadata) + b"}"


class Table:
    """Makes Tables of one kind for one request; later ones of a watch have no column heads."""

    def __init__(self, kind: Kind[Any], form: Form, *, now: float, include: str) -> None:
        self._kind = kind
        self._version = form.version
        self._include = include
        self.now = now
        self.heads = True

    def encode(self, items: Items, meta: ListMeta) -> bytes:
        """Rows for these objects."""
        columns = _columns(self._kind) if self.heads else b"null"
        rows = b",".join(self._row(item) for item in items)
        return (
            b'{"kind":"Table","apiVersion":"meta.k8s.io/%b","metadata":%b,'
            b'"columnDefinitions":%b,"rows":[%b]}'
            % (self._version.encode(), jsonio.dumps(meta), columns, rows)
        )

    def _row(self, item: Stored[Any]) -> bytes:
        kind, now = self._kind, self.now
        cells = kind.cells(item.obj, now) if kind.cells else _plain_cells(item, now)
        return b'{"cells":%b,"object":%b}' % (jsonio.dumps(cells), self._object(item))

    def _object(self, item: Stored[Any]) -> bytes:
        if self._include == "None":
            return b"null"
        if self._include == "Object":
            return item.json
        return partial_bytes(item, self._version)


def _plain_cells(item: Stored[Any], now: float) -> list[Any]:
    meta = item.obj.metadata
    return [meta.name, since(meta.creationTimestamp, now)]


_column_heads: dict[tuple[str, str], bytes] = {}  # one entry per kind of the table


def _columns(kind: Kind[Any]) -> bytes:
    key = (kind.api_version, kind.kind)
    if key not in _column_heads:
        _column_heads[key] = _columns_json(kind)
    return _column_heads[key]


def _columns_json(kind: Kind[Any]) -> bytes:
    return jsonio.dumps(
        [
            {
                "name": column.name,
                "type": column.type,
                "format": column.format,
                "description": column.doc,
                "priority": int(column.wide),
            }
            for column in kind.columns
        ]
    )


@cache
def _list_head(list_kind: str, api_version: str) -> bytes:
    return b'{"kind":"%b","apiVersion":"%b","metadata":' % (
        list_kind.encode(),
        api_version.encode(),
    )


def _bare_items(kind: Kind[Any], items: Items) -> list[bytes]:
    """Items of a list say neither kind nor apiVersion: the list has said it for all."""
    head = b'{"kind":"%b","apiVersion":"%b",' % (kind.kind.encode(), kind.api_version.encode())
    cut = len(head)
    return [b"{" + i.json[cut:] if i.json.startswith(head) else _bare_slow(i) for i in items]


def _bare_slow(item: Stored[Any]) -> bytes:
    body = jsonio.loads(item.json)
    body.pop("kind", None)
    body.pop("apiVersion", None)
    return jsonio.dumps(body)
