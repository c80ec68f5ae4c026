"""Image names, as engines and registries read them; pure.

    [host[:port]/]path[:tag][@algorithm:hex]

The first part is a host if it has a dot or a colon in it, or is `localhost`; a name without one is
the engine's default registry's, and there, without a slash, in its folder `library`.

Source: github.com/distribution/reference, reference.go (grammar).
"""

import re
from dataclasses import dataclass

DEFAULT_HOST = "docker.io"
"""What names without a host mean; a word of the format, and the key of its logins and mirrors."""
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_NAME = re.compile(
    rf"(?:(?P<host>(?:{_HOST}(?:\.{_HOST})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?)/)?"
    rf"(?P<path>{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,}))?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A name taken apart; `host` and `path` are complete, `tag` is "latest" if nothing else is."""

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def end(self) -> str:
        """What stands behind the path."""
        return f"@{self.digest}" if self.digest else f":{self.tag}"

    def on(self, host: str, path: str = "") -> str:
        """The same image at another registry."""
        return f"{host}/{path or self.path}{self.end}"


def reference(name: str) -> Reference:
    """Take a name apart.

    Raises:
        ValueError: it is none; the message is the engines'.
    """
    if re.fullmatch(r"[0-9a-f]{64}", name):
        raise ValueError("cannot specify 64-byte hexadecimal strings as a name")
    match = _NAME.fullmatch(_with_host(name))
    if match is None:
        lower = _NAME.fullmatch(_with_host(name.lower()))
        text = "repository name must be lowercase" if lower else ""
        raise ValueError(f"invalid reference format{': ' + text if text else ''}")
    host, path = match["host"] or DEFAULT_HOST, match["path"]
    if host == DEFAULT_HOST and "/" not in path:
        path = f"library/{path}"
    digest = match["digest"] or ""
    return Reference(host, path, match["tag"] or ("" if digest else "latest"), digest)


def _with_host(name: str) -> str:
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return "" if not rest else name
    return f"{DEFAULT_HOST}/{name}"
