"""What the machinery must know about a kind; each file in `api/kinds/` ends with one `Kind`.

The API server makes routes, discovery, OpenAPI, tables, defaults and validation from it, and
every client names resources by it. A `Kind` is data and pure functions: no I/O.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from appliance.api import names
from appliance.api.errors import Cause
from appliance.api.meta import KubeObject

T = TypeVar("T", bound=KubeObject)

VERBS = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)


PROXY_VERBS = ("create", "delete", "get", "patch", "update")
"""Of sub-resources that pass requests on, whatever their method."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; `wide` ones show with -o wide only."""

    name: str
    type: str = "string"
    wide: bool = False
    format: str = ""
    doc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subresource:
    """A sub-resource such as `status` or `scale`; the body is of another kind where given.

    Where the body is the object itself, `prepare(new, old)` puts back what this door may not
    change and `validate(new, old)` gives every fault; `status` has those of its kind.
    """

    name: str
    verbs: tuple[str, ...]
    kind: str
    group: str = ""
    version: str = "v1"
    prepare: Callable[[Any, Any], None] | None = None
    validate: Callable[[Any, Any], list[Cause]] | None = None


def _nothing(_obj: Any) -> None:
    return None


def keep_status(new: Any, old: Any) -> None:
    """On a write to the object itself the status stays as it was."""
    if hasattr(old, "status"):
        new.status = old.status


def keep_desired(new: Any, old: Any) -> None:
    """On a write to /status everything but status and metadata stays as it was."""
    for name in old.__struct_fields__:
        if name not in ("kind", "apiVersion", "metadata", "status"):
            setattr(new, name, getattr(old, name))


def _spec(obj: Any) -> Any:
    return getattr(obj, "spec", None)


def _no_warnings(_obj: Any) -> list[str]:
    return []


def _no_faults(_obj: Any) -> list[Cause]:
    return []


def _no_update_faults(_new: Any, _old: Any) -> list[Cause]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[T]):
    """One kind of object.

    The rule functions work on typed objects and may change only what they are given:
    `set_defaults(obj)`; `prepare_create(obj)` and `prepare_update(new, old)` drop what a writer
    may not set through the object itself (its status), `prepare_status_update(new, old)` what a
    writer of /status may not; `desired(obj)` is what metadata.generation counts the changes of
    (the registry does the counting); `validate(obj)`, `validate_update(new, old)` and
    `validate_status(new, old)` return every fault but those of metadata, for which see
    `api/validate_meta.py`; `validate_update` covers what `validate` does; `validate_name(name)`
    says what is wrong with a name; `warn(obj)` names what works but should not be used;
    `cells(obj, now)` gives one cell per column, `now` in seconds since 1970.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    type: type[T]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = VERBS
    subresources: tuple[Subresource, ...] = ()
    columns: tuple[Column, ...] = (Column("Name", format="name"), Column("Age"))
    cells: Callable[[T, float], list[Any]] | None = None
    set_defaults: Callable[[T], None] = _nothing
    prepare_create: Callable[[T], None] = _nothing
    prepare_update: Callable[[T, T], None] = keep_status
    prepare_status_update: Callable[[T, T], None] = keep_desired
    desired: Callable[[T], Any] = _spec
    validate_name: Callable[[str], list[str]] = names.dns_subdomain
    validate: Callable[[T], list[Cause]] = _no_faults
    validate_update: Callable[[T, T], list[Cause]] = _no_update_faults
    validate_status: Callable[[T, T], list[Cause]] = _no_update_faults
    warn: Callable[[T], list[str]] = _no_warnings
    selectable_fields: Mapping[str, Callable[[T], str]] = field(default_factory=dict)
    read_scale: "Callable[[T], ScaleNumbers] | None" = None
    write_scale: Callable[[T, int], None] | None = None
    """How sub-resource scale reads and sets replicas, where that is not spec.replicas."""
    deprecation: str = ""
    """Said with every answer; kubectl prints it."""
    stored_as: "StoredAs | None" = None
    """The kind that this one is another view of, where it is not stored itself."""
    storage_path: str = ""
    """Folder under /registry where it differs from the plural (services/specs, minions)."""
    create_on_update: bool = False
    """PUT of a missing object creates it."""
    unconditional_update: bool = True
    """PUT without resourceVersion overwrites."""
    repeats_meta_faults: bool = True
    """Upstream looks at metadata in two places when most kinds are updated, and clients see
    such a fault twice among the causes."""
    has_generation: bool = True
    """metadata.generation counts changes of spec."""

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_kind(self) -> str:
        """`PodList`."""
        return f"{self.kind}List"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """URL path of the collection, of one object or of its sub-resource."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        middle = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{middle}/{self.plural}{tail}"

    def storage_prefix(self) -> str:
        """Key prefix in the store, with a slash at the end."""
        if self.stored_as:
            return self.stored_as.kind.storage_prefix()
        return f"/registry/{self.storage_path or self.plural}/"

    def prepare_write(self, new: T, old: T, subresource: str = "") -> None:
        """Put back what a writer through this door may not change."""
        door = self._door(subresource)
        if door and door.prepare:
            door.prepare(new, old)
        elif subresource == "status":
            self.prepare_status_update(new, old)
        else:
            self.prepare_update(new, old)

    def faults_of_write(self, new: T, old: T, subresource: str = "") -> list[Cause]:
        """Give every fault, but those of metadata, of a write through this door."""
        door = self._door(subresource)
        if door and door.validate:
            return door.validate(new, old)
        if subresource == "status":
            return self.validate_status(new, old)
        return self.validate_update(new, old)

    def _door(self, subresource: str) -> Subresource | None:
        return next((s for s in self.subresources if s.name == subresource), None)

    def has(self, subresource: str) -> bool:
        """Whether there is such a sub-resource."""
        return any(s.name == subresource for s in self.subresources)


@dataclass(frozen=True, slots=True)
class ScaleNumbers:
    """What a Scale shows of an object; the selector as text."""

    wanted: int
    seen: int
    selector: str


@dataclass(frozen=True, slots=True)
class StoredAs:
    """How objects of one version are kept as those of another; nothing may get lost on the way.

    What is given may be changed, parts of it may stand in what is returned.
    """

    kind: Kind[Any]
    to_stored: Callable[[Any], Any] = field(kw_only=True)
    from_stored: Callable[[Any], Any] = field(kw_only=True)
