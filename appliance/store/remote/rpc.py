"""Calls with messages: encoded, sent, tried again where that is safe, refusals as store errors.

A call that changes something is tried again only if no member has looked at it. A call that reads
is tried on the next member as long as its time allows. Everything else ends with `Unavailable`:
whether a write has happened is then not known, as with etcd's own client.
"""

import asyncio
from collections.abc import Iterator
from typing import TypeVar

from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.store import errors
from appliance.store.remote.channel import Call, Channel, Lost
from appliance.store.remote.endpoints import Endpoints
from appliance.store.serve.status import Refused, Status
from appliance.store.serve.wire import Message

Answer = TypeVar("Answer", bound=Message)

_PAUSE = Backoff(base_s=0.05, maximum_s=1.0)
_READ_SHARE = 0.3
_TRY_AGAIN = {Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED}


class Rpc:
    """Typed calls over `Endpoints`."""

    def __init__(self, endpoints: Endpoints, clock: Clock, answer_within_s: float) -> None:
        self._endpoints = endpoints
        self._clock = clock
        self._within_s = answer_within_s

    async def read(self, path: str, request: Message, answer: type[Answer]) -> Answer:
        """A call that changes nothing.

        Raises:
            StoreError: the refusal; `Unavailable` if no member answers in time.
        """
        return answer.decode(await self._call(path, request.encode(), safe=True))

    async def write(self, path: str, request: Message, answer: type[Answer]) -> Answer:
        """A call that changes something.

        Raises:
            StoreError: the refusal; `Unavailable`: it may have happened, or not.
        """
        return answer.decode(await self._call(path, request.encode(), safe=False))

    async def stream(self, path: str) -> tuple[Channel, Call]:
        """Open a stream.

        Raises:
            Unavailable: no member can be reached.
        """
        channel = await self._endpoints.channel()
        try:
            return channel, channel.call(path)
        except Lost as lost:
            raise errors.Unavailable(str(lost)) from lost

    def leave(self, channel: Channel) -> None:
        """Speak with another member from now on."""
        self._endpoints.leave(channel)

    async def _call(self, path: str, request: bytes, *, safe: bool) -> bytes:
        failures, why = 0, "no member answered"
        # A read that a member keeps waiting is asked of the next one while there is time.
        patience_s = self._within_s * (_READ_SHARE if safe else 1.0)
        try:
            # The member may be alive and yet silent, so the whole of it has a bound.
            async with asyncio.timeout(self._within_s):
                while True:
                    try:
                        return await self._once(path, request, patience_s)
                    except _Again as again:
                        if not (safe or again.untouched):
                            raise errors.Unavailable(again.why) from again
                        why = again.why
                    failures += 1
                    await self._clock.sleep(_PAUSE.delay(failures))
        except TimeoutError:
            text = f"etcd did not answer in {self._within_s:g} s: {why}"
            raise errors.Unavailable(text) from None

    async def _once(self, path: str, request: bytes, patience_s: float) -> bytes:
        try:
            channel = await self._endpoints.channel()
        except errors.Unavailable as error:
            raise _Again(str(error), untouched=True) from error
        try:
            call = channel.call(path)
        except Lost as lost:
            raise _Again(str(lost), untouched=True) from lost
        try:
            call.send(request, end=True)
            async with asyncio.timeout(patience_s):
                return await anext(call)
        except TimeoutError:
            self._endpoints.leave(channel)
            raise _Again(f"{channel.authority} is silent", untouched=False) from None
        except Lost as lost:
            raise _Again(str(lost), untouched=lost.untouched) from lost
        except Refused as refused:
            meant = refusal(refused)
            if isinstance(meant, errors.Unavailable):
                self._endpoints.leave(channel)
                raise _Again(str(meant), untouched=False) from refused
            raise meant from refused
        except StopAsyncIteration:
            raise _Again("an answer without a message", untouched=False) from None
        finally:
            call.close()


class _Again(Exception):
    """The call failed on its way."""

    def __init__(self, why: str, *, untouched: bool) -> None:
        super().__init__(why)
        self.why = why
        self.untouched = untouched


def refusal(refused: Refused) -> errors.StoreError:
    """A member's status as the error it stands for; etcd's texts tell them apart."""
    text = str(refused)
    known = _BY_TEXT.get(text)
    if known is not None:
        return known()
    if refused.status is Status.RESOURCE_EXHAUSTED and "larger than max" in text:
        return errors.TooLarge()
    if refused.status in _TRY_AGAIN:
        return errors.Unavailable(text)
    return errors.StoreError(text)


def _kinds(base: type[errors.StoreError]) -> Iterator[type[errors.StoreError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)


_OURS = (errors.TimedOut, errors.Closed, errors.Unavailable, errors.Unusable)
"""From a member these mean: ask another."""
_BY_TEXT = {
    kind.text: kind
    for kind in _kinds(errors.StoreError)
    if kind not in _OURS and kind.text != errors.StoreError.text
}
