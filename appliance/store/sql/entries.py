"""What waits in the writer's queue, and who is told when its turn is over.

`SqlStore` makes them, `Writer` calls exactly one of `committed` and `failed`, on the loop. They
are objects with slots and not closures: one is made for every write.
"""

import asyncio
from collections.abc import Callable

from typing_extensions import override

from appliance.store.base import TxnResult
from appliance.store.errors import StoreError
from appliance.store.sql.rows import Row, Statement
from appliance.store.sql.working import Written

Done = Callable[[TxnResult | StoreError], None]
"""Told how a transaction ended."""

_ROW_BYTES = 64  # around a value
_CHANGE_BYTES = 512  # of the log for a row that is changed or deleted; neighbours share pages


class Entry:
    """Rows of the history, then other statements; all in one transaction with its neighbours."""

    __slots__ = ("rows", "size_bytes", "statements")

    def __init__(self, rows: list[Row], statements: list[Statement]) -> None:
        self.rows = rows
        self.statements = statements
        self.size_bytes = sum(len(some) for _, some in statements) * _CHANGE_BYTES
        for row in rows:
            self.size_bytes += _ROW_BYTES + len(row[-1])

    def committed(self) -> None:
        """It is on disk (or was nothing that has to be)."""

    def failed(self, error: StoreError) -> None:
        """It is not, and neither is anything after it."""


class Note(Entry):
    """A write that is no revision; `future` ends with it (whoever gives up changes nothing)."""

    __slots__ = ("_undo", "future")

    def __init__(self, statements: list[Statement], undo: Callable[[], None]) -> None:
        super().__init__([], statements)
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._undo = undo

    @override
    def committed(self) -> None:
        if not self.future.done():
            self.future.set_result(None)

    @override
    def failed(self, error: StoreError) -> None:
        self._undo()
        if not self.future.done():
            self.future.set_exception(error)


class Transaction(Entry):
    """A transaction that has been applied and waits to be on disk."""

    __slots__ = ("_commit", "_done", "_result", "_undo", "written")

    def __init__(
        self,
        rows: list[Row],
        statements: list[Statement],
        written: Written,
        result: TxnResult,
        *,
        commit: Callable[["Transaction"], None],
        undo: Callable[[Written], None],
        done: Done,
    ) -> None:
        super().__init__(rows, statements)
        self.written = written
        self._result = result
        self._commit = commit
        self._undo = undo
        self._done = done

    @override
    def committed(self) -> None:
        try:
            self._commit(self)
        finally:
            self._done(self._result)  # it is on disk, whatever became of telling watchers

    @override
    def failed(self, error: StoreError) -> None:
        self._undo(self.written)
        self._done(error)


async def ended(begin: Callable[[Done], None]) -> TxnResult:
    """Wait for a transaction; whoever gives up waiting changes nothing."""
    future: asyncio.Future[TxnResult] = asyncio.get_running_loop().create_future()

    def done(result: TxnResult | StoreError) -> None:
        if future.done():
            return
        if isinstance(result, StoreError):
            future.set_exception(result)
        else:
            future.set_result(result)

    begin(done)
    return await future


def both(first: Callable[[Written], None], then: Callable[[], None]) -> Callable[[Written], None]:
    """One taking back after the other."""

    def undo(written: Written) -> None:
        first(written)
        then()

    return undo
