"""metadata.managedFields: who set which field last, kept up to date at each write.

The registry calls `on_update` for create, update and patch with the object as the writer left
it: decoded and defaulted, before admission and before the registry drops or allots fields, so
that only what the writer said counts. Server-side apply is in `apply.py`. Entries are plain JSON
data. Bound: 10 entries of Update managers, then the oldest are folded into one.

Source: apimachinery `util/managedfields`, structured-merge-diff `merge/update.go`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from appliance.api import codec, fieldsets
from appliance.api.custom.object import is_custom
from appliance.api.fieldsets import EMPTY, FieldSet, Path
from appliance.api.fieldtypes import fields_of, top_fields
from appliance.api.schema import Message

MAX_UPDATE_MANAGERS = 10
"""More writers than this are not worth telling apart; upstream's number."""

ANCIENT = "ancient-changes"
BEFORE_FIRST_APPLY = "before-first-apply"

_META = "f:metadata"
STRIPPED: FieldSet = frozenset({
    ("f:apiVersion",),
    ("f:kind",),
    (_META,),
    *(
        (_META, f"f:{name}")
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    ),
})  # fmt: skip
"""Nobody owns these: they belong to the server."""

_MORE_RESETS: dict[tuple[str, str], tuple[Path, ...]] = {
    ("Deployment", "status"): ((_META, "f:labels"),),
    ("Pod", "status"): ((_META, "f:deletionTimestamp"), (_META, "f:ownerReferences")),
}


@dataclass(frozen=True, slots=True)
class Manager:
    """Who: one workflow may have an entry per operation, version and sub-resource."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    @property
    def identity(self) -> "Manager":
        """Appliers are the same in every version."""
        return replace(self, api_version="") if self.operation == "Apply" else self

    def __str__(self) -> str:  # type: ignore[explicit-override]
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == "Update" else text


@dataclass(frozen=True, slots=True)
class Owner:
    """What a manager owns, and since when."""

    manager: Manager
    fields: FieldSet
    time: str = ""
    entry: dict[str, Any] | None = field(default=None, compare=False)
    """The entry that this was read from, as long as it still says the same."""

    def without(self, lost: FieldSet) -> "Owner":
        """Give up these fields."""
        if self.fields.isdisjoint(lost):
            return self
        return replace(self, fields=self.fields - lost, entry=None)


Owners = dict[Manager, Owner]
"""By `Manager.identity`."""


def on_update(
    kind_type: type[Message],
    old: dict[str, Any] | None,
    new: dict[str, Any],
    *,
    manager: str,
    api_version: str,
    now: str,
    subresource: str = "",
) -> list[dict[str, Any]]:
    """Give the entries of managedFields after a create (`old` is None), update or patch.

    Both objects are plain JSON data as the codec gives it.
    """
    owners = _owners_for_update(old, new, subresource)
    if old is not None and not owners:
        return []  # untracked objects stay untracked until somebody applies
    live = blank(kind_type) if old is None else old
    who = Manager(manager, "Update", api_version, subresource)
    try:
        owners = track(kind_type, live, new, owners=owners, who=who, now=now)
    except fieldsets.FieldSetError:
        # Elements without their keys: validation refuses most; upstream, too, lets the rest pass
        # without noting who wrote it.
        return write(owners)
    return write(_fold_oldest(owners))


def track(
    kind_type: type[Message],
    old: dict[str, Any],
    new: dict[str, Any],
    *,
    owners: Owners,
    who: Manager,
    now: str,
) -> Owners:
    """Take what changed from everybody and give what was set to the writer."""
    difference = fieldsets.compare(kind_type, old, new).without(resets(kind_type, who.subresource))
    gained = difference.touched
    lost = gained | difference.removed
    kept = {i: o.without(lost) for i, o in owners.items()}
    if gained := gained - STRIPPED:
        before = kept.get(who.identity)
        fields = gained | (before.fields if before else EMPTY)
        kept[who.identity] = Owner(who, fields, time_of(who, now))
    return {i: o for i, o in kept.items() if o.fields}


def time_of(who: Manager, now: str) -> str:
    """Give the time of an entry; upstream's door to scale keeps entries itself, without times."""
    return "" if who.subresource == "scale" else now


@cache
def resets(kind_type: type[Message], subresource: str) -> tuple[Path, ...]:
    """Paths that a write to this endpoint cannot set, so that it does not come to own them."""
    if is_custom(kind_type):
        return _custom_resets(kind_type, subresource)
    names = fields_of(kind_type)
    if subresource == "status":
        more = _MORE_RESETS.get((kind_type.__name__, subresource), ())
        return (("f:spec",), *more) if "spec" in names else more
    return (("f:status",),) if "status" in names else ()


def _custom_resets(kind_type: type[Any], subresource: str) -> tuple[Path, ...]:
    if not kind_type.HAS_STATUS:
        return ()
    if subresource != "status":
        return (("f:status",),)
    return tuple((f"f:{name}",) for name in top_fields(kind_type) if name != "status")


def blank(kind_type: type[Message]) -> dict[str, Any]:
    """Give the object before its creation: only what Go always writes."""
    made: dict[str, Any] = codec.to_plain(kind_type())
    return made


def read(entries: Any) -> Owners:
    """Read entries of managedFields.

    Raises:
        FieldSetError: an entry makes no sense.
    """
    owners: Owners = {}
    for entry in entries or ():
        operation = entry.get("operation", "")
        if operation not in {"Apply", "Update"}:
            raise fieldsets.FieldSetError(f"operation {operation!r} is neither Apply nor Update")
        who = Manager(
            entry.get("manager", ""),
            operation,
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )
        fields = fieldsets.parse(entry.get("fieldsV1") or {})
        owners[who.identity] = Owner(who, fields, entry.get("time") or "", entry)
    return owners


def write(owners: Owners) -> list[dict[str, Any]]:
    """Write entries, appliers first, then by time and name."""
    return [_entry(owner) for owner in sorted(owners.values(), key=_order)]


def _order(owner: Owner) -> tuple[str, ...]:
    who = owner.manager
    return (who.operation, owner.time, who.name, who.api_version, who.subresource)


def _entry(owner: Owner) -> dict[str, Any]:
    if owner.entry is not None:
        return owner.entry
    who = owner.manager
    entry: dict[str, Any] = {
        "manager": who.name,
        "operation": who.operation,
        "apiVersion": who.api_version,
    }
    if owner.time:
        entry["time"] = owner.time
    entry["fieldsType"] = "FieldsV1"
    entry["fieldsV1"] = fieldsets.render(owner.fields)
    if who.subresource:
        entry["subresource"] = who.subresource
    return entry


def _owners_for_update(old: dict[str, Any] | None, new: dict[str, Any], subresource: str) -> Owners:
    """Writers may set managedFields themselves, `[{}]` drops them all; else the live ones stay."""
    live = _readable((old or {}).get("metadata", {}).get("managedFields"))
    if subresource:
        return live
    given = new.get("metadata", {}).get("managedFields")
    if given is not None and given in ([], [{}]):
        return {}
    return _readable(given) or live


def _readable(entries: Any) -> Owners:
    """What cannot be read counts as nothing: a broken entry must not block writes for ever."""
    try:
        return read(entries)
    except fieldsets.FieldSetError:
        return {}


def _fold_oldest(owners: Owners) -> Owners:
    updates = sorted((o for o in owners.values() if o.manager.operation == "Update"), key=_order)
    excess = len(updates) - MAX_UPDATE_MANAGERS
    if excess <= 0:
        return owners
    folded = dict(owners)
    ancient: dict[str, Owner] = {}
    for owner in updates:
        if excess < 0:
            break
        version = owner.manager.api_version
        if version in ancient:
            fields = ancient[version].fields | owner.fields
            who = ancient[version].manager
            ancient[version] = Owner(who, fields, owner.time)
        else:
            who = Manager(ANCIENT, "Update", version)
            ancient[version] = Owner(who, owner.fields, owner.time)
        del folded[owner.manager.identity]
        excess -= 1
    folded.update({o.manager.identity: o for o in ancient.values()})
    return folded


def paths_of(owners: Iterable[Owner]) -> FieldSet:
    """All that these owners own together."""
    return EMPTY.union(*(owner.fields for owner in owners))
