"""What an admission step is: looks at one write, may change the object, may refuse.

Steps run in the order of the list in `access/admission.py`, after decoding and defaults and
before validation; they read other objects through `Lookup`, never the store.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from appliance.api import codec, errors
from appliance.api.errors import ApiError, Cause, Details
from appliance.api.kind import Kind
from appliance.control.registry.base import Call


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One write that wants in. `obj` is ours and may be changed; `old` is shared."""

    verb: str
    """create, update or delete."""
    kind: Kind[Any]
    namespace: str
    name: str
    obj: Any
    old: Any = None
    subresource: str = ""
    call: Call

    def become(self, plain: dict[str, Any]) -> None:
        """Change the very object that is about to be written into this one.

        Raises:
            ApiError: it is no object of the kind.
        """
        changed, _ = codec.decode(self.kind.type, plain)
        self.kind.set_defaults(changed)
        for name in self.obj.__struct_fields__:
            setattr(self.obj, name, getattr(changed, name))

    def forbid(self, why: str, cause: Cause | None = None) -> ApiError:
        """Make the 403 that a step answers with."""
        name, kind = self.name, self.kind
        plural = errors.qualified(kind.plural, kind.group)
        details = Details(name=name, group=kind.group, kind=kind.plural)
        if cause is not None:
            details.causes.append(cause)
        return errors.Forbidden(f'{plural} "{name}" is forbidden: {why}', details)


class Step(Protocol):
    """One rule of admission."""

    async def admit(self, attempt: Attempt) -> None:
        """Let the write pass, changed or not.

        Raises:
            ApiError: it may not.
        """
        ...
