"""A cluster in one file, and back: the store, its certificates, tokens and manifests.

    backup.json          what this is, of which release, when, and its newest revision
    server/db/state.db   the store, as of one moment
    server/…             everything else of the server but what runs by
    cluster-id

The archive is a plain tar with gzip, readable by its owner alone: it holds every secret.
"""

import io
import json
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from appliance import __version__
from appliance.assembly.upkeep.doors import UpkeepFault, archive_of, store_file
from appliance.assembly.upkeep.past import When, revision_of
from appliance.config.schema import Config
from appliance.kit.clock import Clock, rfc3339
from appliance.store.upkeep.archive import FileArchive
from appliance.store.upkeep.copies import make_startable
from appliance.store.upkeep.etcdsnapshot import import_snapshot, is_snapshot
from appliance.store.upkeep.timetravel import NotPossible

_FACTS = "backup.json"
_ID = "cluster-id"
_DB = PurePosixPath("server/db")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was written, and as of which revision."""

    file: str
    revision: int
    size_bytes: int


def backup(config: Config, clock: Clock, target: Path) -> Done:
    """Write everything of a cluster, running or not, into one new file."""
    if target.exists():
        raise UpkeepFault(f"{target} is there already; choose another name")
    partial = target.with_name(target.name + ".part")
    with archive_of(config) as archive, tempfile.TemporaryDirectory(dir=target.parent) as room:
        copy = Path(room) / "state.db"
        revision = archive.copy_into(copy)
        facts = {"version": __version__, "made": rfc3339(clock.wall()), "revision": revision}
        partial.touch(mode=0o600)
        with tarfile.open(partial, "w:gz", compresslevel=1) as tar:
            _add_text(tar, _FACTS, json.dumps(facts), clock)
            tar.add(copy, str(_DB / "state.db"))
            for path in _files(config.data):
                tar.add(path, str(path.relative_to(config.data)))
    partial.replace(target)
    return Done(file=str(target), revision=revision, size_bytes=target.stat().st_size)


def restore(
    config: Config, clock: Clock, source: Path, *, to: When | None, auth: bool = True
) -> Done:
    """Fill an empty data directory from a backup, or from a snapshot of etcd.

    Raises:
        UpkeepFault: there is a cluster already, or the file is none of the two.
        NotPossible: the asked-for moment is not in it.
    """
    database = store_file(config)
    if database.exists():
        raise UpkeepFault(
            f"{database} is there already: move {config.data_dir} away, or restore elsewhere with"
            " --data-dir"
        )
    if not source.exists():
        raise UpkeepFault(f"{source}: there is no such file")
    now_ms = int(clock.wall() * 1000)
    if is_snapshot(source):
        database.parent.mkdir(parents=True, exist_ok=True)
        import_snapshot(source, database, now_ms=now_ms, auth=auth)
    else:
        _unpack(source, config.data)
    try:
        revision = _asked(database, to)
    except BaseException:
        database.unlink()
        raise
    make_startable(database, to=revision, now_ms=now_ms)
    return Done(file=str(database), revision=revision, size_bytes=database.stat().st_size)


def _asked(database: Path, to: When | None) -> int:
    archive = FileArchive(database)
    try:
        revision = revision_of(archive, to) if to else archive.newest()
        if not archive.floor <= revision <= archive.newest():
            raise NotPossible(
                f"revision {revision} is not in it: the oldest is {archive.floor}, the newest"
                f" {archive.newest()}"
            )
        return revision
    finally:
        archive.close()


def _files(data: Path) -> list[Path]:
    """What a server keeps besides its database: no logs, no locks, nothing of other places."""
    server = data / "server"
    kept = [
        path
        for path in sorted(server.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and not (path.parent == server / "db" and path.name.startswith("state.db"))
    ]
    return [path for path in (data / _ID, *kept) if path.exists()]


def _unpack(source: Path, data: Path) -> None:
    data.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(source) as tar:
            if _FACTS not in tar.getnames():
                raise UpkeepFault(f"{source} is no backup: {_FACTS} is not in it")
            tar.extractall(data, filter="data")
    except tarfile.TarError as error:
        raise UpkeepFault(
            f"{source} is neither a backup nor a snapshot of etcd: {error}"
        ) from error
    (data / _FACTS).unlink()


def _add_text(tar: tarfile.TarFile, name: str, text: str, clock: Clock) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(text), int(clock.wall()), 0o600
    tar.addfile(entry, io.BytesIO(text.encode()))
