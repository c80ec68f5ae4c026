"""Query strings → options of reads and writes, refused in upstream's words. Pure.

Handlers call `list_query`, `write_call` and `delete_options`. Nothing here lives longer than a
request. Source: apimachinery `meta/v1/validation` and `internalversion/validation`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from appliance.api import faults
from appliance.api.errors import ApiError, BadRequest, Cause, Details, Invalid
from appliance.api.meta import DeleteOptions
from appliance.control.registry.base import Call, Query, User

_FIELD_MANAGER_MAX = 128
_VALIDATION = ("", "Ignore", "Strict", "Warn")
_MATCHES = ("Exact", "NotOlderThan", "")


def is_true(value: str | None) -> bool:
    """Read a boolean as upstream does: `?watch`, `watch=1` and `watch=maybe` all are true."""
    return value is not None and value != "0" and value.lower() != "false"


@dataclass(frozen=True, slots=True)
class Params:
    """A query string: the last value of each name, and all of them."""

    one: dict[str, str] = field(default_factory=dict)
    all: dict[str, list[str]] = field(default_factory=dict)

    def flag(self, name: str) -> bool:
        """Whether a boolean is set; upstream takes anything but 0 and false for true."""
        return is_true(self.one.get(name))

    def number(self, name: str) -> int | None:
        """Read a whole number.

        Raises:
            BadRequest: it is none.
        """
        text = self.one.get(name, "")
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            message = f'strconv.ParseInt: parsing "{text}": invalid syntax'
            raise BadRequest(message) from None


NO_PARAMS = Params()


def parse_params(query_string: bytes) -> Params:
    """Split a query string; the first value counts where one is wanted, as in Go."""
    if not query_string:
        return NO_PARAMS
    params = Params()
    for name, value in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True):
        params.one.setdefault(name, value)
        params.all.setdefault(name, []).append(value)
    return params


def list_query(params: Params, *, namespace: str, name: str = "", watch: bool) -> Query:
    """Read what to list or watch; `name` limits it to one object.

    Raises:
        BadRequest: a number is none.
        Invalid: options that exclude each other.
    """
    one = params.one
    wants_initial = params.flag("sendInitialEvents") if one.get("sendInitialEvents") else None
    causes = _match_causes(params, watch=watch, initial=wants_initial)
    if causes:
        raise _invalid_options("ListOptions", causes)
    if watch:
        check_version(one.get("resourceVersion", ""))
    fields = one.get("fieldSelector", "")
    if name:
        fields = f"{fields},metadata.name={name}" if fields else f"metadata.name={name}"
    return Query(
        namespace=namespace,
        labels=one.get("labelSelector", ""),
        fields=fields,
        # A negative limit is none, as upstream; a watch has no pages.
        limit=0 if watch else max(0, params.number("limit") or 0),
        continue_token=one.get("continue", ""),
        resource_version=one.get("resourceVersion", ""),
        resource_version_match=one.get("resourceVersionMatch", ""),
        bookmarks=params.flag("allowWatchBookmarks"),
        initial_events=wants_initial,
    )


def check_version(text: str) -> None:
    """Check the resourceVersion of a get or a watch (a list words this otherwise).

    Raises:
        Unclassified: it is no number; upstream answers 500 here, and so do we.
    """
    if text and not text.isdecimal():
        why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise Unclassified(f'resourceVersion: Invalid value: "{text}": {why}')


class Unclassified(ApiError):
    """Code 500 without a reason, as upstream answers where a plain Go error gets through."""

    code = 500
    reason = ""


def _match_causes(params: Params, *, watch: bool, initial: bool | None) -> list[Cause]:
    match = params.one.get("resourceVersionMatch", "")
    where = "resourceVersionMatch"
    if watch:
        return _watch_match_causes(match, initial=initial)
    causes: list[Cause] = []
    if match:
        version = params.one.get("resourceVersion", "")
        if not version:
            why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            causes.append(faults.forbidden(where, why))
        if params.one.get("continue"):
            why = "resourceVersionMatch is forbidden when continue is provided"
            causes.append(faults.forbidden(where, why))
        if match not in _MATCHES:
            causes.append(_unsupported(where, f'"{match}"', _MATCHES))
        if match == "Exact" and version == "0":
            why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            causes.append(faults.forbidden(where, why))
    if initial is not None:
        why = "sendInitialEvents is forbidden for list"
        causes.append(faults.forbidden("sendInitialEvents", why))
    return causes


def _watch_match_causes(match: str, *, initial: bool | None) -> list[Cause]:
    where = "resourceVersionMatch"
    causes: list[Cause] = []
    if match and initial is None:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        causes.append(faults.forbidden(where, why))
    if initial is not None and match != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        causes.append(faults.forbidden(where, why))
    if match and match != "NotOlderThan":
        causes.append(_unsupported(where, f'"{match}"', ("NotOlderThan",)))
    return causes


def write_call(
    params: Params, user: User, *, agent: str, options: str, apply: bool = False
) -> Call:
    """Circumstances of a write; `options` is the kind that messages name (CreateOptions, …).

    Raises:
        Invalid: an option has a value that is not allowed.
    """
    causes = [
        *_dry_run_causes(params.all.get("dryRun", ())),
        *_manager_causes(params.one.get("fieldManager", "")),
    ]
    if options == "PatchOptions":
        causes += _patch_causes(params, apply=apply)
    validation = params.one.get("fieldValidation", "")
    if validation not in _VALIDATION:
        causes.append(_unsupported("fieldValidation", f'"{validation}"', _VALIDATION))
    if causes:
        raise _invalid_options(options, causes)
    return Call(
        user=user,
        dry_run=bool(params.all.get("dryRun")),
        field_manager=params.one.get("fieldManager", "") or default_manager(agent),
        force=params.flag("force"),
        field_validation=validation or "Warn",
    )


def default_manager(agent: str) -> str:
    """Name the writer after the first part of its User-Agent: `kubectl/v1.37 …` → `kubectl`."""
    name = agent.split("/", 1)[0]
    printable = "".join(c for c in name if c.isprintable())
    return printable[:_FIELD_MANAGER_MAX] or "unknown"


def delete_options(params: Params, body: DeleteOptions | None) -> DeleteOptions:
    """Options of a delete from its body or, without one, from the query.

    Raises:
        BadRequest: a number is none.
        Invalid: an option has a value that is not allowed.
    """
    options = body if body is not None else _delete_options_of_query(params)
    causes: list[Cause] = []
    policy = options.propagationPolicy
    if policy is not None and options.orphanDependents is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(faults.wrong("propagationPolicy", policy, why))
    elif policy is not None and policy not in {"Foreground", "Background", "Orphan"}:
        allowed = ("Foreground", "Background", "Orphan", "nil")
        causes.append(_unsupported("propagationPolicy", f'"{policy}"', allowed))
    causes += _dry_run_causes(options.dryRun)
    if causes:
        raise _invalid_options("DeleteOptions", causes)
    return options


def _delete_options_of_query(params: Params) -> DeleteOptions:
    one = params.one
    orphan = one.get("orphanDependents")
    return DeleteOptions(
        gracePeriodSeconds=params.number("gracePeriodSeconds"),
        orphanDependents=None if orphan is None else params.flag("orphanDependents"),
        propagationPolicy=one.get("propagationPolicy") or None,
        dryRun=params.all.get("dryRun", []),
    )


def _dry_run_causes(values: Iterable[str]) -> list[Cause]:
    given = list(values)
    if not given or set(given) == {"All"}:
        return []
    shown = "[" + ", ".join(faults.show(v) for v in given) + "]"
    return [_unsupported("dryRun", shown, ("All",))]


def _manager_causes(manager: str) -> list[Cause]:
    if len(manager) > _FIELD_MANAGER_MAX:
        return [faults.too_long("fieldManager", _FIELD_MANAGER_MAX)]
    for position, char in enumerate(manager):
        if not char.isprintable():
            why = f"invalid character U+{ord(char):04X} (at position {position})"
            shown = _go_quoted(manager)
            return [Cause("FieldValueInvalid", f"Invalid value: {shown}: {why}", "fieldManager")]
    return []


def _patch_causes(params: Params, *, apply: bool) -> list[Cause]:
    if apply:
        if params.one.get("fieldManager"):
            return []
        return [faults.required("fieldManager", "is required for apply patch")]
    if "force" in params.one:
        return [faults.forbidden("force", "may not be specified for non-apply patch")]
    return []


def _unsupported(path: str, shown: str, allowed: Iterable[str]) -> Cause:
    # Not `faults.unsupported`: upstream keeps these in the order of its own code.
    listed = ", ".join(f'"{a}"' for a in allowed)
    message = f"Unsupported value: {shown}: supported values: {listed}"
    return Cause("FieldValueNotSupported", message, path)


def _go_quoted(text: str) -> str:
    named = {"\t": "\\t", "\n": "\\n", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
    escape: Callable[[str], str] = lambda c: named.get(c) or f"\\x{ord(c):02x}"  # noqa: E731
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else escape(c) for c in text) + '"'


def _invalid_options(kind: str, causes: list[Cause]) -> Invalid:
    listed = [f"{c.field}: {c.message}" for c in causes]
    text = listed[0] if len(listed) == 1 else "[" + ", ".join(listed) + "]"
    details = Details(group="meta.k8s.io", kind=kind, causes=causes)
    return Invalid(f'{kind}.meta.k8s.io "" is invalid: {text}', details)
