"""LIST: at the newest revision, at a given one, or page by page at the first page's.

The newest comes from the watch cache; pages after the first, and exact revisions, come from the
store's history. Source: apiserver `pkg/storage/cacher`, `internalversion/validation`, and the
table of resourceVersion semantics in the API concepts page.
"""

from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from typing_extensions import override

from appliance.api import errors, faults
from appliance.api.errors import Cause, Details
from appliance.api.kind import Kind, T
from appliance.control.registry.base import Query, Stored, StoredPage
from appliance.control.registry.encoding import key_of, object_key, store_key
from appliance.control.registry.pages import decode_continue, encode_continue
from appliance.control.registry.refusals import Unclassified
from appliance.control.registry.selection import Selection, select
from appliance.control.registry.storage import Storage
from appliance.store import errors as store_errors
from appliance.store.base import Range, prefix_end

EXACT = "Exact"
NOT_OLDER_THAN = "NotOlderThan"

_PAGE_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)
_LIST_TOO_OLD = "The resourceVersion for the provided list is too old."
_NEWEST = -1
"""Revision in the token that a 410 carries: go on with what is there now."""
_BATCH = 500
"""Objects read at a time from history while a selector looks for enough matches."""


class ExpiredPage(errors.Expired):
    """The pages' revision is gone; `continue_token` goes on at the newest."""

    def __init__(self, continue_token: str) -> None:
        super().__init__(_PAGE_TOO_OLD)
        self.continue_token = continue_token

    @override
    def status(self) -> dict[str, Any]:
        """Give the Status with the fresh token in its metadata."""
        return {**super().status(), "metadata": {"continue": self.continue_token}}


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a page starts: first key, revision (0: the newest), and whether it goes on."""

    start: str
    revision: int
    continued: bool


async def list_objects(storage: Storage, kind: Kind[T], query: Query) -> StoredPage[T]:
    """Read what matches.

    Raises:
        BadRequest, Invalid: the query makes no sense.
        Expired: the revision is gone.
        Timeout: the revision has not happened yet.
    """
    selection = select(kind, query)
    check_list(query)
    position = _position(query)
    if position.revision:
        return await _from_history(storage, selection, query, position)
    cache = storage.cache(kind)
    wanted = parse_revision(query.resource_version)
    newest = await storage.revision()
    if wanted > newest:
        raise too_large(wanted, newest)
    await cache.reach(newest)
    found = cache.items(selection.namespace, position.start)
    if not selection.is_everything:
        found = [item for item in found if selection.matches(item.obj)]
    # resourceVersion=0 is "whatever you have at hand": upstream's cache ignores the limit then
    limit = 0 if query.resource_version == "0" else query.limit
    return _cut(selection, found, limit, cache.revision)


def check_list(query: Query) -> None:
    """Refuse combinations of options that make no sense.

    Raises:
        Invalid: naming each of them.
    """
    match = query.resource_version_match
    causes: list[Cause] = []
    if query.initial_events is not None:
        why = "sendInitialEvents is forbidden for list"
        causes.append(faults.forbidden("sendInitialEvents", why))
    if match and not query.resource_version:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        causes.append(faults.forbidden("resourceVersionMatch", why))
    if match and query.continue_token:
        why = "resourceVersionMatch is forbidden when continue is provided"
        causes.append(faults.forbidden("resourceVersionMatch", why))
    if match not in ("", EXACT, NOT_OLDER_THAN):
        causes.append(_unsupported_match(match, f'"{EXACT}", "{NOT_OLDER_THAN}", ""'))
    if match == EXACT and query.resource_version == "0":
        why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        causes.append(faults.forbidden("resourceVersionMatch", why))
    refuse_options(causes)


def check_watch(query: Query) -> None:
    """Refuse combinations of options that make no sense for a watch.

    Raises:
        Invalid: naming each of them.
    """
    match = query.resource_version_match
    causes: list[Cause] = []
    if query.initial_events is None:
        if match:
            why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            causes.append(faults.forbidden("resourceVersionMatch", why))
    elif match != NOT_OLDER_THAN:
        why = f"sendInitialEvents requires setting resourceVersionMatch to {NOT_OLDER_THAN}"
        causes.append(faults.forbidden("resourceVersionMatch", why))
    if match not in ("", NOT_OLDER_THAN):
        causes.append(_unsupported_match(match, f'"{NOT_OLDER_THAN}"'))
    refuse_options(causes)


def refuse_options(causes: list[Cause], kind: str = "ListOptions") -> None:
    """Raise one Invalid for all faulty options, if there are any."""
    if causes:
        raise errors.invalid(kind, "meta.k8s.io", "", causes)


def parse_revision(text: str) -> int:
    """Read a resourceVersion of a query; 0 where there is none.

    Raises:
        BadRequest: it is not a number.
    """
    if text and not (text.isascii() and text.isdigit()):
        raise errors.BadRequest(
            f'invalid resource version: resourceVersion: Invalid value: "{text}": '
            f'strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text or 0)


def parse_start(text: str) -> int:
    """Read the resourceVersion of a get or a watch; nonsense is answered with a bare 500 there."""
    try:
        return parse_revision(text)
    except errors.BadRequest as error:
        message = error.message.removeprefix("invalid resource version: ")
        raise Unclassified(message) from error


async def check_reached(storage: Storage, resource_version: str) -> None:
    """Refuse a revision that has not happened yet.

    Raises:
        BadRequest, Timeout: it is no number, or lies in the future.
    """
    wanted, newest = parse_start(resource_version), await storage.revision()
    if wanted > newest:
        raise too_large(wanted, newest)


def too_large(wanted: int, newest: int) -> errors.Timeout:
    """The revision lies in the future: come back in a second."""
    cause = Cause("ResourceVersionTooLarge", "Too large resource version")
    return errors.Timeout(
        f"Timeout: Too large resource version: {wanted}, current: {newest}",
        Details(causes=[cause], retry_after_s=1),
    )


def _unsupported_match(match: str, listed: str) -> Cause:
    message = f"Unsupported value: {faults.show(match)}: supported values: {listed}"
    return Cause("FieldValueNotSupported", message, "resourceVersionMatch")


def _position(query: Query) -> _Position:
    wanted = parse_revision(query.resource_version)
    if query.continue_token:
        revision, start = decode_continue(query.continue_token)
        if wanted:
            raise errors.BadRequest(
                "specifying resource version is not allowed when using continue"
            )
        return _Position(start, 0 if revision == _NEWEST else revision, continued=True)
    match = query.resource_version_match
    # a limit with a revision and no match has always meant that very revision
    exact = match == EXACT or (not match and query.limit > 0)
    return _Position("", wanted if exact else 0, continued=False)


def _cut(selection: Selection[T], found: list[Stored[T]], limit: int, at: int) -> StoredPage[T]:
    if not limit or len(found) <= limit:
        return StoredPage(found, at)
    return _page(selection, found[:limit], at, len(found) - limit)


def _page(
    selection: Selection[T], items: list[Stored[T]], at: int, remaining: int
) -> StoredPage[T]:
    last = items[-1].obj.metadata
    token = encode_continue(at, key_of(selection.kind, last.namespace, last.name) + "\0")
    return StoredPage(items, at, token, remaining if selection.is_everything else None)


async def _from_history(
    storage: Storage, selection: Selection[T], query: Query, position: _Position
) -> StoredPage[T]:
    kind = selection.kind
    room = f"{selection.namespace}/" if selection.namespace else ""
    request = Range(
        key=store_key(kind, max(room, position.start)),
        end=prefix_end(store_key(kind, room)),
        revision=position.revision,
        limit=max(query.limit + 1, _BATCH) if query.limit else 0,
    )
    items: list[Stored[T]] = []
    while True:
        found, raw = await _read(storage, kind, request, position)
        items += [item for item in found if selection.matches(item.obj)]
        enough = query.limit and len(items) > query.limit
        if enough or not raw.more:
            break
        request = replace(request, key=raw.kvs[-1].key + b"\0")
    if not enough:
        return StoredPage(items, position.revision)
    unseen = raw.count - len(raw.kvs)
    kept = items[: query.limit]
    return _page(selection, kept, position.revision, len(items) - len(kept) + unseen)


async def _read(
    storage: Storage, kind: Kind[T], request: Range, position: _Position
) -> tuple[list[Stored[T]], Any]:
    try:
        return await storage.page(kind, request)
    except store_errors.Compacted as error:
        if position.continued:
            key = object_key(kind, request.key)
            raise ExpiredPage(encode_continue(_NEWEST, key)) from error
        raise errors.Expired(_LIST_TOO_OLD) from error
    except store_errors.FutureRevision as error:
        raise too_large(position.revision, await storage.revision()) from error
