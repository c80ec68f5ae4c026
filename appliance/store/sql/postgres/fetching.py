"""Fetches values that a replica has let go, for reads that need them.

On a connection of its own: the others may be in the middle of a stream or of a transaction.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg

from appliance.store.errors import Unavailable
from appliance.store.sql.postgres import statements
from appliance.store.sql.postgres.coldvalues import Cold
from appliance.store.sql.postgres.database import Link, refusal
from appliance.store.sql.postgres.replica import Replica

Answer = TypeVar("Answer")
_TRIES = 10


class Fetching:
    """One replica's way to the table."""

    def __init__(self, replica: Replica, link: Link, look: Callable[[], Awaitable[None]]) -> None:
        self._replica = replica
        self._link = link
        self._look = look
        """Takes in what others have done."""

    async def answer(self, ask: Callable[[], Answer]) -> Answer:
        """What `ask` answers from memory; what it lacks is fetched first.

        Raises:
            Unavailable: the database does not answer.
        """
        wanted: set[int] = set()
        for _ in range(_TRIES):
            try:
                found = ask()
            except Cold as more:
                wanted |= more.positions  # all of them each time: others may have let some go
                cold = Cold(wanted)
                await self.load(cold)
                if self._replica.still_cold(cold):  # changed and compacted: see what is there now
                    await self._look()
                continue
            self._replica.trim()
            return found
        raise Unavailable("PostgreSQL: values change faster than they can be read")

    async def load(self, cold: Cold) -> None:
        """Fetch what is still in the table."""
        connection = await self._link.get()
        try:
            found = await connection.execute(statements.SELECT_VALUES, (cold.rows,))
            self._replica.load(await found.fetchall())
        except psycopg.Error as error:
            await self._link.drop(connection)
            raise refusal(error) from error
