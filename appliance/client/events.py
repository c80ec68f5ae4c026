"""Kubernetes Events: what `kubectl describe` and `kubectl get events` show of a loop's deeds.

`record` never waits and never fails: it puts a note into a bounded queue that `run` writes out.
Same notes are folded into one Event whose count grows, so that a crash loop is one line. Bounds:
QUEUE_MAX notes wait (more are dropped and counted), FOLD_MAX Events are remembered for folding,
and each object gets BURST notes at once and then one every REFILL_S.

Source of folding and limits: client-go `tools/record/events_cache.go`.
"""

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Protocol

import structlog

from appliance.api.errors import ApiError, NotFound, ServiceUnavailable, Timeout, TooManyRequests
from appliance.api.kind import Kind, T
from appliance.api.kinds.core.event import EVENT, Event, EventSource
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock, rfc3339

log = structlog.get_logger(__name__)

NORMAL = "Normal"
WARNING = "Warning"

QUEUE_MAX = 4000
BATCH = 64
"""Notes written side by side, so that the store commits them together."""
FOLD_MAX = 4096
BURST = 25
REFILL_S = 300.0
MESSAGE_MAX = 1024
"""Characters; the API refuses longer notes."""
PAUSES = Backoff(base_s=0.2, maximum_s=10.0)
TRIES = 12


class Recorder(Protocol):
    """What loops need to report what they did."""

    def record(self, about: ObjectReference, kind: str, reason: str, message: str) -> None:
        """Note that something happened; `kind` is NORMAL or WARNING."""
        ...


def reference(kind: Kind[T], obj: T, field_path: str = "") -> ObjectReference:
    """Name an object as Events do; `field_path` such as spec.containers{redis}."""
    meta = obj.metadata
    return ObjectReference(
        kind=kind.kind,
        apiVersion=kind.api_version,
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resourceVersion=meta.resourceVersion,
        fieldPath=field_path,
    )


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that happened, as it waits to be written."""

    component: str
    about: ObjectReference
    kind: str
    reason: str
    message: str
    wall: float

    @property
    def fold_key(self) -> tuple[str, ...]:
        """Equal for notes that say the same of the same object."""
        about = self.about
        names = (about.kind, about.namespace, about.name, about.uid, about.fieldPath)
        return (self.component, *names, self.kind, self.reason, self.message)


@dataclass(slots=True)
class _Folded:
    name: str
    count: int


@dataclass(slots=True)
class _Allowance:
    """Token bucket of one object."""

    tokens: float
    since: float

    def take(self, now: float) -> bool:
        self.tokens = min(BURST, self.tokens + (now - self.since) / REFILL_S)
        self.since = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class EventRecorder:
    """Writes notes of one component as v1 Events."""

    def __init__(self, client: Client, *, component: str, clock: Clock, host: str = "") -> None:
        self._client = client
        self._clock = clock
        self._component = component
        self._host = host
        self._queue: deque[Note] = deque()
        self._filled = asyncio.Event()
        self._folds: OrderedDict[tuple[str, ...], _Folded] = OrderedDict()
        self._allowances: OrderedDict[str, _Allowance] = OrderedDict()
        self._last_ns = 0
        self.dropped = 0
        """Notes lost to a full queue or to a server that would not take them."""

    def record(self, about: ObjectReference, kind: str, reason: str, message: str) -> None:
        """Note that something happened; it is written soon, or dropped if too much happens."""
        self.put(Note(self._component, about, kind, reason, message, self._clock.wall()))

    def named(self, component: str) -> Recorder:
        """Give a recorder that writes through this one under another component's name."""
        return _Named(self, component, self._clock)

    async def run(self) -> None:
        """Write what waits, until cancelled."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            await self.flush()

    async def flush(self) -> None:
        """Write what waits now; also for a clean stop."""
        while self._queue:
            await asyncio.gather(*(self._write(note) for note in self._batch()))

    def _batch(self) -> list[Note]:
        """Notes that can be written side by side: none folds into another of them."""
        notes: dict[tuple[str, ...], Note] = {}
        while self._queue and len(notes) < BATCH and self._queue[0].fold_key not in notes:
            note = self._queue.popleft()
            notes[note.fold_key] = note
        return list(notes.values())

    def put(self, note: Note) -> None:
        """Queue a note, if its object may have one more."""
        if not self._allowed(note.about):
            return
        if len(self._queue) >= QUEUE_MAX:
            self.dropped += 1
            return
        self._queue.append(note)
        self._filled.set()

    def _allowed(self, about: ObjectReference) -> bool:
        now = self._clock.monotonic()
        key = about.uid or f"{about.kind}/{about.namespace}/{about.name}"
        allowance = self._allowances.setdefault(key, _Allowance(BURST, now))
        self._allowances.move_to_end(key)
        if len(self._allowances) > FOLD_MAX:
            self._allowances.popitem(last=False)
        return allowance.take(now)

    async def _write(self, note: Note) -> None:
        for failures in range(1, TRIES + 1):
            try:
                await self._fold_or_create(note)
            except (ServiceUnavailable, Timeout, TooManyRequests, OSError):
                await self._clock.sleep(PAUSES.delay(failures))
            except ApiError as error:
                # The object's namespace is going, or the note breaks a rule: trying again is vain.
                self.dropped += 1
                log.debug("event refused", reason=note.reason, error=str(error))
                return
            else:
                return
        self.dropped += 1
        log.warning("event lost", reason=note.reason, about=note.about.name, tries=TRIES)

    async def _fold_or_create(self, note: Note) -> None:
        key = note.fold_key
        known = self._folds.get(key)
        if known is not None:
            body = {"count": known.count + 1, "lastTimestamp": rfc3339(note.wall)}
            try:
                await self._client.patch(
                    EVENT, known.name, body, namespace=_namespace_of(note.about)
                )
            except NotFound:
                del self._folds[key]  # it was too old and has been cleaned away: begin again
            else:
                known.count += 1
                self._folds.move_to_end(key)
                return
        made = await self._client.create(
            EVENT, self._event(note), namespace=_namespace_of(note.about)
        )
        self._folds[key] = _Folded(made.metadata.name, 1)
        if len(self._folds) > FOLD_MAX:
            self._folds.popitem(last=False)

    def _event(self, note: Note) -> Event:
        # Names are <object>.<time in hex>; two notes of one nanosecond must not collide.
        self._last_ns = max(self._last_ns + 1, int(note.wall * 1e9))
        moment = rfc3339(note.wall)
        return Event(
            kind=EVENT.kind,
            apiVersion=EVENT.api_version,
            metadata=ObjectMeta(
                name=f"{note.about.name}.{self._last_ns:x}", namespace=_namespace_of(note.about)
            ),
            involvedObject=note.about,
            reason=note.reason,
            message=note.message[:MESSAGE_MAX],
            type=note.kind,
            source=EventSource(component=note.component, host=self._host),
            reportingComponent=note.component,
            reportingInstance=self._host,
            firstTimestamp=moment,
            lastTimestamp=moment,
            count=1,
        )


class _Named:
    """The same recorder under another name."""

    def __init__(self, recorder: EventRecorder, component: str, clock: Clock) -> None:
        self._recorder = recorder
        self._component = component
        self._clock = clock

    def record(self, about: ObjectReference, kind: str, reason: str, message: str) -> None:
        now = self._clock.wall()
        self._recorder.put(Note(self._component, about, kind, reason, message, now))


def _namespace_of(about: ObjectReference) -> str:
    """Events of things without a namespace live in `default`."""
    return about.namespace or "default"
