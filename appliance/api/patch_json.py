"""JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396) on plain JSON data.

The registry calls these with a tree of its own; inputs are not changed, untouched parts are
shared with the result. Where kube-apiserver's library departs from RFC 6902, so does this:
`replace` of a missing key of an object adds it, and a path need not begin with a slash (what
stands before the first one is not looked at).

Bounds: 10,000 operations, 3 MB of copies; beyond them a small request could grow without end.
"""

from collections.abc import Callable
from typing import Any

from appliance.api.errors import ApiError, BadRequest, Details, Invalid, TooLarge
from appliance.kit import jsonio

MAX_OPERATIONS = 10_000
MAX_COPIED_BYTES = 3 * 1024 * 1024

_REJECTED = "the server rejected our request due to an error in our request"


class _Fault(Exception):
    """The patch does not fit the document; users see one sentence for all of these."""


def json_patch(document: Any, operations: Any) -> Any:
    """Apply a list of operations and give the new document.

    Raises:
        BadRequest: the patch is not a list of objects.
        TooLarge: more operations than allowed.
        Invalid: an operation does not fit the document, or a test failed.
    """
    if not isinstance(operations, list):
        raise _wrong_type(operations, "[]handlers.jsonPatchOp")
    if len(operations) > MAX_OPERATIONS:
        raise TooLarge(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS},"
            f" got {len(operations)}",
            Details(),
        )
    patch = _Patch(jsonio.deep_copy(document))
    try:
        for operation in operations:
            if not isinstance(operation, dict):
                raise _wrong_type(operation, "handlers.jsonPatchOp")
            patch.apply(operation)
    except _Fault as fault:
        raise Invalid(_REJECTED, Details()) from fault
    return patch.document


def merge_patch(document: Any, patch: Any) -> Any:
    """Merge `patch` into `document`: null deletes, objects merge, all else replaces.

    Raises:
        BadRequest: the patch is not an object.
    """
    if not isinstance(patch, dict):
        raise _wrong_type(patch, "map[string]interface {}")
    return _merge(document, patch)


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


def _wrong_type(data: Any, wanted: str) -> ApiError:
    kinds = {list: "array", dict: "object", str: "string", bool: "bool"}
    found = kinds.get(type(data), "number")
    return BadRequest(
        f"error decoding patch: json: cannot unmarshal {found} into Go value of type {wanted}"
    )


class _Patch:
    """The document while operations work on it."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self._copied = 0

    def apply(self, operation: dict[str, Any]) -> None:
        run: Callable[[dict[str, Any]], None] | None = {
            "add": self._add,
            "remove": self._remove,
            "replace": self._replace,
            "move": self._move,
            "copy": self._copy,
            "test": self._test,
        }.get(str(operation.get("op", "")))
        if run is None:
            raise _Fault("no such operation")
        run(operation)

    def _add(self, operation: dict[str, Any]) -> None:
        self._put(_text(operation, "path"), jsonio.deep_copy(operation.get("value")))

    def _remove(self, operation: dict[str, Any]) -> None:
        holder, key = self._find(_text(operation, "path"))
        if isinstance(holder, dict):
            if key not in holder:
                raise _Fault("nothing to remove")
            del holder[key]
        else:
            del holder[_index(holder, key)]

    def _replace(self, operation: dict[str, Any]) -> None:
        path = _text(operation, "path")
        value = jsonio.deep_copy(operation.get("value"))
        if not path:
            self.document = value
            return
        holder, key = self._find(path)
        if isinstance(holder, dict):
            holder[key] = value
        else:
            holder[_index(holder, key)] = value

    def _move(self, operation: dict[str, Any]) -> None:
        source = _text(operation, "from")
        value = self._get(source)
        self._remove({"path": source})
        self._put(_text(operation, "path"), value)

    def _copy(self, operation: dict[str, Any]) -> None:
        value = self._get(_text(operation, "from"))
        self._copied += len(jsonio.dumps(value))
        if self._copied > MAX_COPIED_BYTES:
            raise _Fault("copies are too large")
        self._put(_text(operation, "path"), jsonio.deep_copy(value))

    def _test(self, operation: dict[str, Any]) -> None:
        wanted = operation.get("value")
        try:
            found = self._get(_text(operation, "path"))
        except _Fault:
            if wanted is not None:
                raise
            found = None
        if not _same(found, wanted):
            raise _Fault("test failed")

    def _put(self, path: str, value: Any) -> None:
        if not path:
            self.document = value
            return
        holder, key = self._find(path)
        if isinstance(holder, dict):
            holder[key] = value
        elif key == "-":
            holder.append(value)
        else:
            holder.insert(_index(holder, key, beyond=1), value)

    def _get(self, path: str) -> Any:
        if not path:
            return self.document
        holder, key = self._find(path)
        return _child(holder, key)

    def _find(self, path: str) -> tuple[Any, str]:
        """Give the object or list that holds the last part of the path."""
        parts = [p.replace("~1", "/").replace("~0", "~") for p in path.split("/")[1:]]
        if not parts:
            raise _Fault("no path")
        holder = self.document
        for part in parts[:-1]:
            holder = _child(holder, part)
        if not isinstance(holder, dict | list):
            raise _Fault("nothing can be inside of this")
        return holder, parts[-1]


def _text(operation: dict[str, Any], key: str) -> str:
    value = operation.get(key)
    if not isinstance(value, str):
        raise _Fault(f"{key} is missing")
    return value


def _child(holder: Any, key: str) -> Any:
    if isinstance(holder, dict) and key in holder:
        return holder[key]
    if isinstance(holder, list):
        return holder[_index(holder, key)]
    raise _Fault("no such path")


def _index(holder: list[Any], key: str, beyond: int = 0) -> int:
    """Read an index; negative ones count from the end, as upstream's library has it."""
    try:
        index = int(key)
    except ValueError as error:
        raise _Fault("not an index") from error
    if index < 0:
        index += len(holder) + beyond
    if not 0 <= index < len(holder) + beyond:
        raise _Fault("index out of range")
    return index


def _same(one: Any, other: Any) -> bool:
    """Compare as JSON: true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
