"""Alarms of the one member: NOSPACE keeps out what adds, CORRUPT what writes.

Clients raise and lift them by the Maintenance service, `quota.py` raises NOSPACE; services ask
before they write. Alarms are notes of the store, so they outlive a restart; a store that keeps
no notes (a real etcd, which has alarms of its own) has them for this process only.

A full disk is NOSPACE as well for whoever asks, but nobody has to lift that one: it is there for
as long as the store itself refuses what adds data.

Source: etcd server/etcdserver/api/v3alarm/alarms.go, server/etcdserver/apply/{capped,corrupt}.go.
"""

from appliance.store.base import Store
from appliance.store.errors import NoSpace
from appliance.store.notes import Notes
from appliance.store.room import Roomy
from appliance.store.serve.following import announce
from appliance.store.serve.status import Refused, Status

NONE, NOSPACE, CORRUPT = 0, 1, 2
_TEXT = {NOSPACE: "memberID:{} alarm:NOSPACE ", CORRUPT: "memberID:{} alarm:CORRUPT "}
BOOK = "alarms"
"""Its name among the notes."""
Alarm = tuple[int, int]
"""A member and its alarm."""


class Alarms:
    """Which alarms are on."""

    def __init__(self, store: Store, member_id: int = 0) -> None:
        self._store = store
        self._member_id = member_id
        self._on: dict[Alarm, None] = {}

    async def load(self) -> None:
        """Read which are on: before the first call is served, and when others have changed it."""
        if isinstance(self._store, Notes):
            names = sorted(await self._store.notes(BOOK))
            pairs = [name.partition("/")[::2] for name in names]
            self._on = {(int(member), int(alarm)): None for member, alarm in pairs}

    async def raise_(self, member_id: int, alarm: int) -> list[Alarm]:
        """Turn one on; nothing if it is."""
        if alarm == NONE or (member_id, alarm) in self._on:
            return []
        self._on[member_id, alarm] = None
        await self._keep(member_id, alarm, b"")
        return [(member_id, alarm)]

    async def lift(self, member_id: int, alarm: int) -> list[Alarm]:
        """Turn one off."""
        if (member_id, alarm) not in self._on:
            return []
        await self._keep(member_id, alarm, None)
        self._on.pop((member_id, alarm), None)
        return [(member_id, alarm)]

    def on(self, alarm: int = NONE) -> list[Alarm]:
        """Those that are on, of one kind or all."""
        full = (self._member_id, NOSPACE)
        there = [*self._on]
        if full not in self._on and isinstance(self._store, Roomy) and self._store.is_full():
            there.append(full)
        return [key for key in there if alarm in {NONE, key[1]}]

    def texts(self) -> list[str]:
        """As Status tells them."""
        return [_TEXT.get(alarm, "memberID:{}").format(member) for member, alarm in self.on()]

    def check_growable(self) -> None:
        """Refuse what adds data.

        Raises:
            NoSpace, Refused: an alarm is on.
        """
        if not self._on:
            return
        self.check_writable()
        if any(alarm == NOSPACE for _, alarm in self._on):
            raise NoSpace

    def check_writable(self) -> None:
        """Refuse what writes.

        Raises:
            Refused: the data are corrupt.
        """
        if any(alarm == CORRUPT for _, alarm in self._on):
            raise Refused(Status.DATA_LOSS, "etcdserver: corrupt cluster")

    async def _keep(self, member_id: int, alarm: int, note: bytes | None) -> None:
        if isinstance(self._store, Notes):
            await self._store.write_notes(BOOK, {f"{member_id}/{alarm}": note})
            await announce(self._store, BOOK)
