"""What people call objects, and where these lie in the store.

pods/default/web   →  /registry/pods/default/web
svc/default        →  /registry/services/specs/default/…   a whole namespace
/any/key           →  itself; with a slash at its end, all that is under it
"""

from appliance.api.kinds.table import KINDS
from appliance.store.upkeep.span import Span


class NameFault(Exception):
    """No kind is called so; `str()` says what can be given."""


def span_of(text: str) -> Span:
    """Bounds [key, end) of what was named; `end` b"" for one key.

    Raises:
        NameFault: it begins with no kind's name.
    """
    if text.startswith("/"):
        return _bounds(text, whole=text.endswith("/"))
    word, *rest = text.rstrip("/").split("/")
    for kind in KINDS:
        if word.lower() in {kind.plural, kind.kind.lower(), *kind.short_names}:
            parts = 2 if kind.namespaced else 1
            key = kind.storage_prefix() + "/".join(rest)
            if len(rest) > parts:
                break
            return _bounds(
                key if len(rest) == parts or not rest else key + "/", whole=len(rest) < parts
            )
    raise NameFault(
        f"{text!r} names nothing: give KIND/NAMESPACE/NAME, KIND/NAME for kinds without"
        " namespaces, less of it for all that is under it, or a key of the store that begins with /"
    )


def _bounds(key: str, *, whole: bool) -> Span:
    name = key.encode()
    return (name, name[:-1] + b"0") if whole else (name, b"")  # "0" is what follows "/"
