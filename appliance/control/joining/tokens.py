"""Whether a bearer may join: the cluster's own token, or one that `appliance token` made.

Asked by `door.py` once per try. The Secret is read each time, so a deleted token is refused at
once. Only who knows the secret learns that it has expired.
"""

import hmac

from appliance.api import jointoken
from appliance.api.errors import Cause, Details, NotFound, Unauthorized
from appliance.api.joining import EXPIRED_TOKEN, UNKNOWN_TOKEN
from appliance.api.kinds.core.secret import SECRET
from appliance.client.base import Client
from appliance.kit.clock import Clock, rfc3339

_MAKE_ONE = "make one with `appliance token create` on the master"


class Tokens:
    """Checks bearers; `cluster_token` is the word in `server/token`."""

    def __init__(self, client: Client, *, cluster_token: str, clock: Clock) -> None:
        self._client = client
        self._cluster_token = cluster_token
        self._clock = clock

    async def check(self, bearer: str) -> str:
        """Return whom the bearer stands for, for the log.

        Raises:
            Unauthorized: nobody knows it, or its time is over; the cause says which.
        """
        if not bearer:
            raise _refusal(UNKNOWN_TOKEN, f"a token is needed to join; {_MAKE_ONE}")
        if hmac.compare_digest(bearer.encode(), self._cluster_token.encode()):
            return "cluster token"
        entry = await self._find(jointoken.id_of(bearer))
        if entry is None or not entry.matches(bearer):
            raise _refusal(
                UNKNOWN_TOKEN,
                f"this cluster does not know the token: mistyped, deleted, or another cluster's; "
                f"{_MAKE_ONE}",
            )
        if entry.expires is not None and entry.expired(self._clock.wall()):
            when = rfc3339(entry.expires)
            raise _refusal(EXPIRED_TOKEN, f"token {entry.id} expired at {when}; {_MAKE_ONE}")
        return f"token {entry.id}"

    async def _find(self, token_id: str) -> jointoken.Entry | None:
        if not token_id:
            return None
        name = jointoken.secret_name(token_id)
        try:
            secret = await self._client.get(SECRET, name, jointoken.NAMESPACE)
            return jointoken.from_secret(secret)
        except (NotFound, ValueError):  # none, or somebody else's Secret under that name
            return None


def _refusal(reason: str, message: str) -> Unauthorized:
    return Unauthorized(message, Details(causes=[Cause(reason, message)]))
