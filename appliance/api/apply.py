"""Server-side apply: merge what a manager states into the object, and track who owns what.

The registry calls `server_side_apply` with plain JSON data: the live object (None to create) and
the body as the user sent it. The answer is the new object with its managedFields; the registry
then decodes, defaults, admits and validates it like any other write.

A manager that stops stating a field gives it up; where nobody else owns it, it goes. Changing a
field that somebody else owns is a conflict, unless `force` takes it over.

Source: structured-merge-diff `merge/update.go`, apimachinery `util/managedfields`.
"""

from dataclasses import replace
from typing import Any

from appliance.api import codec, fieldsets
from appliance.api.apply_check import check_configuration
from appliance.api.apply_merge import merge, named_fields, remove
from appliance.api.errors import BadRequest, Cause, Conflict, Details, InternalError
from appliance.api.fieldsets import EMPTY, FieldSet
from appliance.api.managedfields import (
    BEFORE_FIRST_APPLY,
    STRIPPED,
    Manager,
    Owner,
    Owners,
    blank,
    paths_of,
    read,
    resets,
    time_of,
    track,
    write,
)
from appliance.api.schema import Message


def server_side_apply(
    kind_type: type[Message],
    live: dict[str, Any] | None,
    patch: dict[str, Any],
    *,
    manager: str,
    force: bool,
    api_version: str,
    now: str,
    subresource: str = "",
) -> dict[str, Any]:
    """Give the object after the apply, with managedFields brought up to date.

    Raises:
        BadRequest: the body is of another kind, or carries managedFields.
        InternalError: the body does not fit the schema (500 is upstream's answer).
        Conflict: others own fields that it would change; the causes name them.
    """
    _check_kind(kind_type, patch, api_version)
    if _metadata(patch).get("managedFields") is not None:
        raise BadRequest("metadata.managedFields must be nil")
    check_configuration(kind_type, patch)
    before = _without_entries(live) if live is not None else blank(kind_type)
    stored = _metadata(live).get("managedFields") if live is not None else None
    owners = _stored_owners(stored)
    if live is not None and not owners:
        owners = _first_owner(kind_type, before, api_version=api_version, now=now)
    who = Manager(manager, "Apply", api_version, subresource)
    after, owners = _apply(kind_type, before, patch, owners=owners, who=who, force=force)
    changed = codec.prune(kind_type, after)[0] != codec.prune(kind_type, before)[0]
    own = owners.get(who.identity)
    if changed and own is not None:
        owners[who.identity] = replace(own, time=time_of(who, now), entry=None)
    entries = write(owners)
    result = dict(after) if changed else dict(before)
    meta = dict(_metadata(result))
    if entries:
        meta["managedFields"] = entries
    if live is None:
        meta.pop("resourceVersion", None)  # there was no revision that it could have seen
    result["metadata"] = meta
    return result


def _check_kind(kind_type: type[Message], patch: dict[str, Any], api_version: str) -> None:
    given, name = patch.get("apiVersion") or "", patch.get("kind") or ""
    if (given, name) != (api_version, kind_type.__name__):
        group, _, version = str(given).rpartition("/")
        raise BadRequest(f"invalid object type: {group}/{version}, Kind={name}")


def _apply(
    kind_type: type[Message],
    live: dict[str, Any],
    patch: dict[str, Any],
    *,
    owners: Owners,
    who: Manager,
    force: bool,
) -> tuple[dict[str, Any], Owners]:
    """Merge, prune, and hand over what changed; upstream's Updater.Apply."""
    ignored = resets(kind_type, who.subresource)
    stated = fieldsets.without_below(fieldsets.of_object(kind_type, patch), ignored)
    last = owners.get(who.identity)
    owners = dict(owners)
    owners[who.identity] = Owner(who, stated, last.time if last else "")
    after = merge(kind_type, live, patch)
    after = _prune(kind_type, after, owners=owners, last=last.fields if last else EMPTY)
    difference = fieldsets.compare(kind_type, live, after).without(ignored)
    others = {i: o for i, o in owners.items() if i != who.identity}
    taken = {i: o.fields & difference.touched for i, o in others.items()}
    if not force and any(taken.values()):
        raise _conflict([(o.manager, taken[i]) for i, o in others.items()])
    lost = difference.touched | difference.removed
    kept = {i: o.without(lost) for i, o in others.items()}
    kept[who.identity] = replace(owners[who.identity], fields=stated - STRIPPED)
    return after, {i: o for i, o in kept.items() if o.fields}


def _prune(
    kind_type: type[Message], merged: dict[str, Any], *, owners: Owners, last: FieldSet
) -> dict[str, Any]:
    """Drop what this manager stated last time and nobody states or owns now."""
    if not last:
        return merged

    def named(fields: FieldSet) -> FieldSet:
        return named_fields(kind_type, fields)

    pruned = remove(kind_type, merged, named(last))
    whole = named(fieldsets.of_object(kind_type, merged))
    # Removing a map takes its keys along; put back those that somebody owns …
    left = named(fieldsets.of_object(kind_type, pruned)) | named(paths_of(owners.values()))
    pruned = remove(kind_type, merged, whole - left)
    # … and those that this manager never stated.
    left = named(fieldsets.of_object(kind_type, pruned))
    return remove(kind_type, merged, (whole - left) & named(last))


def _stored_owners(entries: Any) -> Owners:
    try:
        return read(entries)
    except fieldsets.FieldSetError as error:
        raise InternalError(f"failed to decode managed fields: {error}") from error


def _first_owner(
    kind_type: type[Message], live: dict[str, Any], *, api_version: str, now: str
) -> Owners:
    """An object that was never tracked: what it has belongs to its past."""
    who = Manager(BEFORE_FIRST_APPLY, "Update", api_version)
    return track(kind_type, blank(kind_type), live, owners={}, who=who, now=now)


def _metadata(obj: dict[str, Any] | None) -> dict[str, Any]:
    found = (obj or {}).get("metadata")
    return found if isinstance(found, dict) else {}


def _without_entries(obj: dict[str, Any]) -> dict[str, Any]:
    meta = {k: v for k, v in _metadata(obj).items() if k != "managedFields"}
    return {**obj, "metadata": meta}


def _conflict(taken: list[tuple[Manager, FieldSet]]) -> Conflict:
    found = [
        (str(who), fieldsets.show(path))
        for who, fields in sorted(taken, key=lambda pair: str(pair[0]))
        for path in fieldsets.in_order(fields)
    ]
    causes = [Cause("FieldManagerConflict", f"conflict with {who}", path) for who, path in found]
    if len(found) == 1:
        who, path = found[0]
        message = f"Apply failed with 1 conflict: conflict with {who}: {path}"
        return Conflict(message, Details(causes=causes))
    lines = []
    for name in dict.fromkeys(who for who, _ in found):
        lines.append(f"conflicts with {name}:")
        lines += [f"- {path}" for who, path in found if who == name]
    message = f"Apply failed with {len(found)} conflicts: " + "\n".join(lines)
    return Conflict(message, Details(causes=causes))
