"""Where a server keeps its state: what `datastore-endpoint` can say.

(nothing)                                        the file under data-dir
sqlite:///var/lib/appliance/other.db             another file
postgresql+psycopg://user:word@host/database     PostgreSQL (postgres:// is the same)
etcd://host:2379,host:2379  http://…  https://…  a cluster of etcd
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_REMEDY = (
    "must be like postgresql+psycopg://user@host/database, https://etcd1:2379,https://etcd2:2379,"
    " etcd://host:2379, or sqlite:///file"
)
_POSTGRES = ("postgres://", "postgresql://", "postgresql+psycopg://")
_ETCD_PORT = 2379


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A file of this host; None: the usual one."""

    path: Path | None = None


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """A database that several servers may share."""

    url: str


@dataclass(frozen=True, slots=True)
class EtcdUrls:
    """Members of a cluster of etcd."""

    members: tuple[tuple[str, int], ...]
    tls: bool


Endpoint = SqliteFile | PostgresUrl | EtcdUrls


def parse_endpoint(text: str) -> Endpoint:
    """Read it.

    Raises:
        ValueError: it is none of these; the text says what it must be.
    """
    text = text.strip()
    if not text:
        return SqliteFile()
    if text.startswith(_POSTGRES):
        if not urlsplit(text).path.strip("/"):
            raise ValueError("must name a database: postgresql+psycopg://user@host/database")
        return PostgresUrl("postgresql+psycopg://" + text.partition("://")[2])
    if text.startswith("sqlite:///"):
        return SqliteFile(Path("/" + text.removeprefix("sqlite:///").lstrip("/")))
    return _etcd(text)


def _etcd(text: str) -> EtcdUrls:
    scheme, found, _ = text.partition("://")
    if not found or scheme not in {"etcd", "http", "https"}:
        raise ValueError(_REMEDY)
    members = []
    for part in text.split(","):
        part_scheme, given, place = part.strip().rpartition("://")
        if given and part_scheme != scheme:
            raise ValueError("must be all https or all http")
        try:
            parsed = urlsplit(f"//{place}")
            members.append((parsed.hostname or "", parsed.port or _ETCD_PORT))
        except ValueError:
            raise ValueError(_REMEDY) from None
        if not parsed.hostname or parsed.path.strip("/") or parsed.username:
            raise ValueError(_REMEDY)
    return EtcdUrls(tuple(members), tls=scheme == "https")
