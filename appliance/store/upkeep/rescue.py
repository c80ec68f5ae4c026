"""A store whose file is damaged starts from the last good copy, by itself.

The broken file is kept beside it, for people. What was written since the copy is gone, and
clients must notice: the restored store begins far above all revisions that were ever given out,
with everything before compacted (`copies.make_startable`), so that every watch and every informer
starts anew. Called by `assembly` in place of `SqlStore.open`.
"""

import json
import os
import shutil
import sqlite3
from pathlib import Path

import structlog

from appliance.kit.clock import Clock
from appliance.store.errors import Damaged
from appliance.store.options import StoreOptions
from appliance.store.sql.snapshots import snapshots_of
from appliance.store.sql.store import SqlStore
from appliance.store.sql.tables import SELECT_NEWEST
from appliance.store.upkeep.copies import make_startable

log = structlog.get_logger(__name__)

BOOK = "rescues"
"""Notes of what nobody has been told yet but by the log; whoever tells takes them away."""
SAYING = "the store was damaged and goes on from its last good copy"
_PARTS = ("", "-wal", "-shm", ".redo")


async def open_or_rescue(path: Path, options: StoreOptions, clock: Clock) -> SqlStore:
    """Open a store; if its file is damaged, go back to the last good copy.

    Raises:
        Unusable: it cannot be used for another reason, or there is no good copy.
    """
    try:
        return await SqlStore.open(path, options, clock)
    except Damaged as found:
        damage = found
    broken: Path | None = None
    for copy in snapshots_of(path):
        broken = broken or _set_aside(path, clock)
        try:
            revision = _restore(copy, path, clock)
            store = await SqlStore.open(path, options, clock)
        except (Damaged, sqlite3.DatabaseError) as error:
            log.warning("a copy of the store is damaged, too", path=str(copy), error=str(error))
            continue
        age_s = int(clock.wall() - copy.stat().st_mtime)
        log.error(
            SAYING,
            path=str(path),
            damage=str(damage),
            revision=revision,
            age_s=age_s,
            broken_file=str(broken),
        )
        told = {"age_s": age_s, "broken_file": str(broken), "damage": str(damage)}
        await store.write_notes(BOOK, {broken.name: json.dumps(told).encode()})
        return store
    raise damage


def _set_aside(path: Path, clock: Clock) -> Path:
    """Move the broken file and its log away."""
    broken = path.with_name(f"{path.name}.broken-{int(clock.wall())}")
    for part in _PARTS:
        found = path.with_name(path.name + part)
        if found.exists():
            found.replace(broken.with_name(broken.name + part))
    path.with_name(path.name + ".suspect").unlink(missing_ok=True)
    return broken


def _restore(copy: Path, path: Path, clock: Clock) -> int:
    """Put a copy in the file's place; gives its newest revision."""
    fresh = path.with_name(path.name + ".restoring")
    shutil.copyfile(copy, fresh)
    fresh.chmod(0o600)
    with sqlite3.connect(fresh) as file:
        revision = int(file.execute(SELECT_NEWEST).fetchone()[0] or 1)
        file.execute("PRAGMA journal_mode = WAL")
    file.close()
    make_startable(fresh, to=revision, now_ms=int(clock.wall() * 1000))
    handle = os.open(fresh, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
    for part in _PARTS[1:]:
        fresh.with_name(fresh.name + part).unlink(missing_ok=True)
    fresh.replace(path)
    return revision
