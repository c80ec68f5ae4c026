"""The loop of a rolling update: look, ask `plan.decide`, do it, look again.

Called by `assembly.rolling` for `appliance rolling-update`. It keeps nothing between two looks
but when it last got on, so it may be stopped anywhere. Bounded by `timeout_s` without progress.
"""

from collections.abc import Callable
from dataclasses import dataclass

from appliance.api.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    InternalError,
    NotFound,
    ServiceUnavailable,
    Timeout,
    TooManyRequests,
)
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.replicationcontroller import (
    REPLICATION_CONTROLLER,
    ReplicationController,
)
from appliance.client.base import Client, DeleteOptions, Where
from appliance.client.rolling import marks, plan
from appliance.client.rolling.order import (
    Action,
    Create,
    Delete,
    LabelPods,
    Order,
    Patch,
    Refuse,
    Replace,
    RollingFault,
    Wait,
    World,
)
from appliance.kit.clock import Clock

RC = REPLICATION_CONTROLLER
_PASSING = (Conflict, NotFound, AlreadyExists, ServiceUnavailable, Timeout, TooManyRequests,
            InternalError)  # fmt: skip
"""Refusals that another look may do away with: a race, or a master that is being restarted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast to go."""

    update_period_s: float = 60.0
    """How long a new pod must have been available before an old one goes for it."""
    poll_interval_s: float = 3.0
    timeout_s: float = 300.0
    """Give up after so long without progress."""


class RollingUpdate:
    """Carries out one order."""

    def __init__(
        self, client: Client, order: Order, *, pace: Pace, clock: Clock, say: Callable[[str], None]
    ) -> None:
        self._client = client
        self._order = order
        self._pace = pace
        self._clock = clock
        self._say = say
        self._said = ""

    async def run(self) -> ReplicationController:
        """Do it all; returns the controller that there is in the end.

        Raises:
            RollingFault: it can't be done, or does not get on.
        """
        deadline = self._clock.monotonic() + self._pace.timeout_s
        while True:
            try:
                action = await self._next()
                if isinstance(action, Patch) and action.after_pause:
                    action = await self._after_pause(action)
                done = await self._carry_out(action)
            except _PASSING as error:
                action, done = Wait(error.message), None
            except ApiError as error:
                raise RollingFault(error.message) from error
            if isinstance(action, Patch) and action.last and done is not None:
                return done
            if isinstance(action, Wait):
                await self._wait(action, deadline)
            else:
                deadline = self._clock.monotonic() + self._pace.timeout_s

    async def look(self) -> World:
        """Read what there is."""
        order = self._order
        old = await self._controller(order.old)
        name = marks.next_name(order, old)
        new = await self._controller(name) if name else None
        pods: tuple[Pod, ...] = ()
        if old is not None and order.image:
            labels = ",".join(
                f"{k}={v}" for k, v in sorted(old.spec.selector.items()) if k != order.label_key
            )
            page = await self._client.list(POD, Where(namespace=order.namespace, labels=labels))
            pods = tuple(page.items)
        return World(old=old, new=new, pods=pods)

    async def _next(self) -> Action:
        return plan.decide(self._order, await self.look())

    async def _after_pause(self, action: Patch) -> Action:
        """Let new pods prove themselves; if they fail meanwhile, something else comes next."""
        await self._clock.sleep(self._pace.update_period_s)
        again = await self._next()
        same = isinstance(again, Patch) and again.says == action.says
        return again if same else Wait("looking again")

    async def _wait(self, action: Wait, deadline: float) -> None:
        if self._clock.monotonic() >= deadline:
            raise RollingFault(
                f"no progress in {self._pace.timeout_s:g} s ({action.why}); look at the new pods' "
                "events, then give the same command again to go on, or with --rollback to undo it"
            )
        if action.why != self._said:
            self._said = action.why
            self._say(f"Waiting: {action.why}")
        await self._clock.sleep(self._pace.poll_interval_s)

    async def _carry_out(self, action: Action) -> ReplicationController | None:
        match action:
            case Wait():
                return None
            case Refuse(why):
                raise RollingFault(why)
            case LabelPods(pods, key, value):
                await self._label(pods, key, value)
                return None
            case Create() | Patch() | Replace() | Delete():
                done = await self._write(action)
                if action.says:
                    self._say(action.says)
                return done

    async def _write(
        self, action: Create | Patch | Replace | Delete
    ) -> ReplicationController | None:
        meta = action.controller.metadata
        namespace = self._order.namespace
        match action:
            case Create(controller):
                return await self._client.create(RC, controller, namespace=namespace)
            case Replace(controller):
                return await self._client.update(RC, controller)
            case Patch(_, body):
                return await self._client.patch(RC, meta.name, body, namespace=namespace)
            case Delete():
                how = DeleteOptions(uid=meta.uid, propagation="Orphan")
                await self._client.delete(RC, meta.name, namespace=namespace, options=how)
                return None

    async def _label(self, pods: tuple[Pod, ...], key: str, value: str) -> None:
        for pod in pods:
            meta = pod.metadata
            body = {"metadata": {"labels": {key: value}}}
            await self._client.patch(POD, meta.name, body, namespace=meta.namespace)

    async def _controller(self, name: str) -> ReplicationController | None:
        try:
            return await self._client.get(RC, name, self._order.namespace)
        except NotFound:
            return None
