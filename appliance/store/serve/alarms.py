"""Alarms of the one member: NOSPACE keeps out what adds, CORRUPT what writes.

Clients raise and lift them by the Maintenance service; services ask before they write. Kept in
memory: after a restart none is on.
"""

from appliance.store.errors import NoSpace
from appliance.store.serve.status import Refused, Status

NONE, NOSPACE, CORRUPT = 0, 1, 2
_TEXT = {NOSPACE: "memberID:{} alarm:NOSPACE ", CORRUPT: "memberID:{} alarm:CORRUPT "}


class Alarms:
    """Which alarms are on."""

    def __init__(self, member_id: int) -> None:
        self._member_id = member_id
        self._on: dict[tuple[int, int], None] = {}

    def raise_(self, member_id: int, alarm: int) -> list[tuple[int, int]]:
        """Turn one on; nothing if it is."""
        if alarm == NONE or (member_id, alarm) in self._on:
            return []
        self._on[member_id, alarm] = None
        return [(member_id, alarm)]

    def lift(self, member_id: int, alarm: int) -> list[tuple[int, int]]:
        """Turn one off."""
        if (member_id, alarm) not in self._on:
            return []
        del self._on[member_id, alarm]
        return [(member_id, alarm)]

    def on(self, alarm: int = NONE) -> list[tuple[int, int]]:
        """Those that are on, of one kind or all: (member, alarm)."""
        return [key for key in self._on if alarm in {NONE, key[1]}]

    def texts(self) -> list[str]:
        """As Status tells them."""
        return [_TEXT.get(alarm, "memberID:{}").format(member) for member, alarm in self._on]

    def check_growable(self) -> None:
        """Refuse what adds data.

        Raises:
            NoSpace, Refused: an alarm is on.
        """
        if not self._on:
            return
        self.check_writable()
        if self.on(NOSPACE):
            raise NoSpace

    def check_writable(self) -> None:
        """Refuse what writes.

        Raises:
            Refused: the data are corrupt.
        """
        if self._on and self.on(CORRUPT):
            raise Refused(Status.DATA_LOSS, "etcdserver: corrupt cluster")
