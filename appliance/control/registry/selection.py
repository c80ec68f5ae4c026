"""Which objects a request is about: namespace, labels and fields, parsed once."""

from dataclasses import dataclass
from typing import Generic

from appliance.api import fields, labels
from appliance.api.kind import Kind, T
from appliance.control.registry.base import Query


@dataclass(frozen=True, slots=True)
class Selection(Generic[T]):
    """A parsed query; `matches` is called for every change and every watcher, so it is short."""

    kind: Kind[T]
    namespace: str
    labels: labels.Selector
    fields: fields.FieldSelector

    @property
    def is_everything(self) -> bool:
        """Whether there are no selectors (the namespace may still be narrowed)."""
        return self.labels.is_everything and self.fields.is_everything

    def matches(self, obj: T) -> bool:
        """Whether an object belongs to it."""
        meta = obj.metadata
        return (
            (not self.namespace or meta.namespace == self.namespace)
            and (self.labels.is_everything or self.labels.matches(meta.labels))
            and (self.fields.is_everything or self.fields.matches(self.kind, obj))
        )


def select(kind: Kind[T], query: Query) -> Selection[T]:
    """Parse the selectors of a query.

    Raises:
        BadRequest: one makes no sense for this kind.
    """
    wanted = fields.parse(query.fields)
    wanted.check(kind)
    return Selection(
        kind, query.namespace if kind.namespaced else "", labels.parse(query.labels), wanted
    )
