"""Strategic merge patch: a merge patch that knows which lists merge by key.

    patch {"spec": {"containers": [{"name": "a", "image": "x:2"}]}} changes one container.

Merge rules come from the `F` of each field. Directives in the patch:

    $patch: replace|delete          of an object or of a list's element
    $retainKeys: [..]               drop the other keys
    $setElementOrder/list: [..]     the order that the list shall have
    $deleteFromPrimitiveList/list   values to take out of a list of plain values

Works on plain JSON data; inputs are not changed. Kubernetes, `strategicpatch/patch.go`.
"""

from typing import Any

from appliance.api.errors import BadRequest, InternalError
from appliance.api.fieldtypes import Field, Shape, fields_of, shape_of_struct
from appliance.api.gotext import go_value
from appliance.api.schema import Message
from appliance.kit import jsonio

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"

Json = dict[str, Any]


def strategic_merge(struct: type[Message], document: Json, patch: Any) -> Json:
    """Give the patched document.

    Raises:
        BadRequest: the patch is malformed.
        InternalError: an element lacks the key that its list is merged by (upstream's answer).
    """
    if not isinstance(patch, dict):
        raise BadRequest("invalid JSON document")
    return _merge_map(document, jsonio.deep_copy(patch), shape_of_struct(struct))


def _merge_map(original: Json, patch: Json, shape: Shape | None) -> Json:
    if _DIRECTIVE in patch:
        return _directed(patch)
    result = dict(original)
    _retain_keys(result, patch)
    _merge_ordered_lists(result, patch, shape)
    for key, value in patch.items():
        if key.startswith(_DELETE):
            name = key.removeprefix(_DELETE)
            if isinstance(result.get(name), list) and isinstance(value, list):
                result[name] = [item for item in result[name] if item not in value]
        elif value is None:
            result.pop(key, None)
        elif key in result and _alike(result[key], value):
            result[key] = _merge_value(result[key], value, _below(shape, key))
        else:
            clean, keep = _without_directives(value)
            if keep:
                result[key] = clean
            else:
                result.pop(key, None)
    return result


def _directed(patch: Json) -> Json:
    directive = patch.pop(_DIRECTIVE)
    if directive == "replace":
        return patch
    if directive == "delete":
        return {}
    raise BadRequest(f"unknown patch type: {directive} in map: {go_value(patch)}")


def _alike(one: Any, other: Any) -> bool:
    return isinstance(one, dict | list) and type(one) is type(other)


def _below(shape: Shape | None, key: str) -> tuple[Shape | None, Field | None]:
    """Shape of a key's value, and its field where the holder is a struct."""
    if shape is None:
        return None, None
    if shape.struct is not None:
        field = fields_of(shape.struct).get(key)
        return (field.shape, field) if field else (None, None)
    return shape.element, None


def _merge_value(original: Any, patch: Any, below: tuple[Shape | None, Field | None]) -> Any:
    shape, field = below
    if isinstance(original, dict):
        return _merge_map(original, patch, shape)
    return _merge_list(original, patch, shape, field)


def _merge_list(
    original: list[Any], patch: list[Any], shape: Shape | None, field: Field | None
) -> list[Any]:
    if field is None or not field.rules.merge:
        return patch  # as it is: upstream looks for directives only in lists that merge
    if not original and not patch:
        return original
    if not any(isinstance(item, dict) for item in [*original, *patch]):
        merged = list({_identity(item, ""): item for item in [*original, *patch]}.values())
        return _in_order(merged, patch, original, "")
    key = field.rules.merge_key
    if not key:
        raise InternalError(f"cannot merge lists without merge key for {field.name}")
    element = shape.element if shape else None
    original, patch = _special_elements(original, patch, key)
    merged = _merge_elements(original, patch, key, element)
    return _in_order(merged, patch, original, key)


def _special_elements(
    original: list[Any], patch: list[Any], key: str
) -> tuple[list[Any], list[Any]]:
    """Carry out `$patch` of elements; give the lists that are left to merge."""
    left, plain, replace = list(original), [], False
    for item in patch:
        directive = item.get(_DIRECTIVE) if isinstance(item, dict) else None
        if directive is None:
            plain.append(item)
        elif directive == "delete":
            gone = _key(item, key)
            left = [other for other in left if _key(other, key) != gone]
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise BadRequest("merging lists cannot yet be specified in the patch")
        else:
            raise BadRequest(f"unknown patch type: {directive} in map: {go_value(item)}")
    return ([] if replace else left), plain


def _merge_elements(
    original: list[Any], patch: list[Any], key: str, element: Shape | None
) -> list[Any]:
    merged = list(original)
    for item in patch:
        wanted = _key(item, key)
        place = next((i for i, old in enumerate(merged) if _key(old, key) == wanted), None)
        if place is None:
            merged.append(_without_directives(item)[0])
        else:
            merged[place] = _merge_map(merged[place], item, element)
    return merged


def _key(item: Any, key: str) -> Any:
    if not isinstance(item, dict) or key not in item:
        shown = go_value(item)
        raise InternalError(f"map: {shown} does not contain declared merge key: {key}")
    return item[key]


def _identity(item: Any, key: str) -> Any:
    """What tells this item from others; text where the value itself cannot be looked up."""
    name = _key(item, key) if key else item
    return jsonio.dumps(name) if isinstance(name, dict | list) else name


def _in_order(
    merged: list[Any], patch_order: list[Any], server_order: list[Any], key: str
) -> list[Any]:
    """Order a merged list: patched items as the patch has them, the rest where they were.

    Items that only the server has are put in front of the first patched item that stood behind
    them before; new items come first for want of an old place.
    """
    wanted = {_identity(item, key): place for place, item in enumerate(patch_order)}
    before = {_identity(item, key): place for place, item in enumerate(server_order)}
    patched = [item for item in merged if _identity(item, key) in wanted]
    others = [item for item in merged if _identity(item, key) not in wanted]
    patched.sort(key=lambda item: wanted[_identity(item, key)])
    others.sort(key=lambda item: before.get(_identity(item, key), len(before)))
    result: list[Any] = []
    while patched and others:
        own = before.get(_identity(others[0], key))
        theirs = before.get(_identity(patched[0], key))
        first_is_other = own is not None and theirs is not None and own < theirs
        result.append(others.pop(0) if first_is_other else patched.pop(0))
    return result + patched + others


def _retain_keys(result: Json, patch: Json) -> None:
    retained = patch.pop(_RETAIN, None)
    if retained is None:
        return
    names = retained if isinstance(retained, list) else []
    stray = [
        k for k, v in patch.items() if v is not None and k not in names and not k.startswith("$")
    ]
    if stray or not isinstance(retained, list):
        raise BadRequest("invalid patch format of retainKeys")
    for key in [k for k in result if k not in names]:
        del result[key]


def _merge_ordered_lists(result: Json, patch: Json, shape: Shape | None) -> None:
    """Merge the lists that come with `$setElementOrder/…`, and take them out of the patch."""
    for directive in [k for k in patch if k.startswith(_ORDER)]:
        order = patch.pop(directive)
        name = directive.removeprefix(_ORDER)
        if not isinstance(order, list):
            raise BadRequest("invalid patch format of setElementOrder list")
        below, field = _below(shape, name)
        key = field.rules.merge_key if field else ""
        live, given = result.get(name), patch.get(name)
        if isinstance(given, list):
            _check_order(given, order, key)
            del patch[name]
        elif name in patch:
            continue
        merged = _without_directives(given)[0] if given is not None else live
        if live is not None and given is not None:
            merged = _merge_list(live, given, below, field)
        if merged is not None:
            result[name] = _in_order(merged, order, live or [], key)


def _check_order(given: list[Any], order: list[Any], key: str) -> None:
    """What the patch changes must be named in the order list, in the same order."""
    names = [_identity(item, key) for item in order]
    place = -1
    for item in given:
        if isinstance(item, dict) and _DIRECTIVE in item:
            continue
        name = _identity(item, key)
        if name not in names[place + 1 :]:
            raise BadRequest(
                f"The order in patch list:\n{go_value(given)}\n doesn't match"
                f" setElementOrder list:\n{go_value(order)}\n"
            )
        place = names.index(name, place + 1)


def _without_directives(value: Any) -> tuple[Any, bool]:
    """Strip directives from a value that is taken as it is; False: nothing is left of it."""
    if isinstance(value, list):
        parts = [_without_directives(item) for item in value]
        return [clean for clean, keep in parts if keep], True
    if not isinstance(value, dict):
        return value, True
    if value.get(_DIRECTIVE) == "delete":
        return {}, False
    clean_map = {}
    for key, part in value.items():
        if key in {_DIRECTIVE, _RETAIN} or key.startswith((_ORDER, _DELETE)) or part is None:
            continue
        clean, keep = _without_directives(part)
        if keep:
            clean_map[key] = clean
    return clean_map, True
