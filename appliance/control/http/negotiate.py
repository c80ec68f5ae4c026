"""Content negotiation: Accept header → the form of the answer. Pure.

Forms are JSON and YAML, each plain, as a Table (what `kubectl get` prints) or as metadata only.
Protobuf is understood in requests, never sent: every client that asks for it takes JSON too.
Bounded by: `_HEADERS_KEPT` parsed Accept headers, of which clients send a handful.
Source: apiserver `endpoints/handlers/negotiation`.
"""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from appliance.api.errors import Details, NotAcceptable

_HEADERS_KEPT = 256

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
_ANY = {"*/*", "application/*", ""}


class View(Enum):
    """How much of an object is shown."""

    WHOLE = "whole"
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"
    METADATA_LIST = "PartialObjectMetadataList"


@dataclass(frozen=True, slots=True)
class Form:
    """What to send: media type, and the view with its version (`meta.k8s.io/v1`)."""

    media: str = JSON
    view: View = View.WHOLE
    version: str = "v1"


@dataclass(frozen=True, slots=True)
class Accepted:
    """One entry of an Accept header."""

    media: str
    params: tuple[tuple[str, str], ...] = ()

    def param(self, name: str) -> str:
        """Value of a parameter, or nothing."""
        return dict(self.params).get(name, "")


@lru_cache(maxsize=_HEADERS_KEPT)
def parse_accept(header: str) -> tuple[Accepted, ...]:
    """Entries in order of preference: by q, else as written."""
    weighted: list[tuple[float, Accepted]] = []
    for entry in header.split(","):
        media, *raw = (part.strip() for part in entry.split(";"))
        params = [tuple(p.split("=", 1)) for p in raw if "=" in p]
        quality = 1.0
        for name, value in params:
            if name == "q":
                quality = _quality(value)
        kept = tuple((n, v) for n, v in params if n != "q")
        weighted.append((quality, Accepted(media.lower(), kept)))
    weighted.sort(key=lambda pair: -pair[0])  # stable: equals keep their order
    return tuple(accepted for quality, accepted in weighted if quality > 0)


@lru_cache(maxsize=_HEADERS_KEPT)
def choose_form(header: str) -> Form:
    """Take the first entry that can be served.

    Raises:
        NotAcceptable: none can.
    """
    for accepted in parse_accept(header):
        media = JSON if accepted.media in _ANY else accepted.media
        if media not in {JSON, YAML}:
            continue
        view = accepted.param("as")
        if not view:
            return Form(media)
        if accepted.param("g") != "meta.k8s.io" or accepted.param("v") not in {"v1", "v1beta1"}:
            continue
        if view in {v.value for v in View} - {View.WHOLE.value}:
            return Form(media, View(view), accepted.param("v"))
    raise not_acceptable()


def not_acceptable() -> NotAcceptable:
    """406, naming what could have been asked for."""
    types = ", ".join((JSON, YAML, PROTOBUF, f"{JSON};stream=watch", f"{PROTOBUF};stream=watch"))
    message = f"only the following media types are accepted: {types}"
    return NotAcceptable(message, Details())


def media_type(content_type: str) -> str:
    """The bare media type of a Content-Type header, lower case."""
    return content_type.split(";", 1)[0].strip().lower()


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
