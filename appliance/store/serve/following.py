"""Notes that several masters share: who changes a book tells the others, who read it anew.

Notes have no history to watch, so on such stores (`SharedNotes`) each change also touches a key,
`\\0etcd-notes/<book>`, and every endpoint watches it. The key costs a revision; stores of one
process do without.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, runtime_checkable

from appliance.kit.tasks import Tasks
from appliance.store.base import Put, Store, Txn, WatchRequest

_MARK = b"\x00etcd-notes/"


@runtime_checkable
class SharedNotes(Protocol):
    """A store whose notes others may change."""

    notes_are_shared: bool


async def announce(store: Store, book: str) -> None:
    """A book has been changed."""
    if isinstance(store, SharedNotes):
        await store.txn(Txn(success=(Put(key=_MARK + book.encode()),)), "notes")


def follow(store: Store, book: str, read: Callable[[], Awaitable[None]], tasks: Tasks) -> None:
    """Read a book whenever others have changed it, for as long as the tasks run."""
    if isinstance(store, SharedNotes):
        _ = tasks.forever(f"follow {book}", lambda: _follow(store, book, read))


async def _follow(store: Store, book: str, read: Callable[[], Awaitable[None]]) -> None:
    watcher = store.watch(WatchRequest(key=_MARK + book.encode()))
    try:
        await read()  # what changed before we listened
        async for _ in watcher:
            await read()
    finally:
        watcher.close()
