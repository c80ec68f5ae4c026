"""Carry out actions on one pod, one at a time.

`Hands` belongs to one worker and writes what it learns into the worker's memory: what failed and
when to try again, what goes on beside it. It decides nothing: `plan` reads the memory and does.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from appliance.api.errors import ApiError
from appliance.api.hostports import EVERY_ADDRESS, host_ports
from appliance.api.kinds.core.pod.container import Container as ContainerWish
from appliance.api.kinds.core.pod.kind import Pod
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.node.events import PodEvents
from appliance.node.network.base import Network, NetworkFault, PodLink
from appliance.node.network.publish import Published
from appliance.node.options import NodeOptions
from appliance.node.pods import actions as do
from appliance.node.pods.checks import Checker, Target
from appliance.node.pods.downward import PodFacts
from appliance.node.pods.env import EnvironmentFault
from appliance.node.pods.everyone import every_wish
from appliance.node.pods.images import ImageFault, Images
from appliance.node.pods.inputs import Inputs
from appliance.node.pods.plan import SANDBOX_CHANGED
from appliance.node.pods.prepare import Preparer
from appliance.node.pods.reports import Reports
from appliance.node.pods.spec import SpecFault, container_spec, sandbox_spec
from appliance.node.pods.view import Fault, Hook, ImageReady, ImageUnderway, Memory
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import (
    CreateFailed,
    Image,
    ImageMissing,
    NotThere,
    Runtime,
    RuntimeFault,
    StartFailed,
    Unreachable,
)
from appliance.node.volumes.base import VolumeFault
from appliance.node.volumes.mounter import Volumes

log = structlog.get_logger(__name__)

IMAGE_PAUSES = Backoff(base_s=10.0, maximum_s=300.0)
START_PAUSES = Backoff(base_s=2.0, maximum_s=300.0)
FLOOR_PAUSES = Backoff(base_s=1.0, maximum_s=60.0)
PRE_STOP_LEFT_S = 2.0
"""What a container gets to stop when its preStop hook used up the grace."""
POST_START_S = 30.0
"""A postStart hook that takes longer has failed: the container would never count as started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What all workers of a node share."""

    runtime: Runtime
    network: Network
    images: Images
    volumes: Volumes
    inputs: Inputs
    events: PodEvents
    reports: Reports
    checker: Checker
    clock: Clock
    options: NodeOptions
    engine: str
    facts: PodFacts


class Hands:
    """Acts on one pod."""

    def __init__(
        self, parts: Parts, memory: Memory, *, tasks: Tasks, ring: Callable[[], None]
    ) -> None:
        self._parts = parts
        self._memory = memory
        self._tasks = tasks
        self._ring = ring
        self._preparer = Preparer(parts.volumes, parts.inputs, parts.options, parts.facts)

    async def carry_out(self, action: do.Action, pod: Pod) -> str:
        """Do it; failures that have a place in the status are kept in the memory. Gives the id of
        the container that was started, if one was.

        Raises:
            Unreachable: the engine does not answer.
        """
        started = ""
        runtime = self._parts.runtime
        match action:
            case do.SetUpVolumes() | do.StartSandbox() | do.AttachNetwork():
                started = await self._floor(action, pod)
            case do.DetachNetwork():
                await self._parts.network.detach(pod.metadata.uid)
                self._memory.address = ""
            case do.FetchImage(wish):
                await self._find_or_fetch(pod, wish)
            case do.StartContainer():
                started = await self._start(pod, action)
            case do.StopContainer():
                ends = self._parts.clock.wall() + action.grace_s
                self._memory.stopping[action.container_id] = ends
                _ = self._tasks.spawn(f"stop/{action.name}", self._stop(pod, action))
            case do.KillContainer(container_id):
                await _if_there(runtime.kill(container_id))
            case do.RemoveContainer(container_id):
                await runtime.remove(container_id)
                self._forget(container_id)
            case do.TearDown():
                await self._parts.volumes.tear_down(pod)
            case do.ConfirmDeletion():
                self._parts.reports.confirm_deletion(pod)
        return started

    def _forget(self, container_id: str) -> None:
        self._memory.stopping.pop(container_id, None)
        self._memory.hooks.pop(container_id, None)
        self._memory.health.pop(container_id, None)

    async def refresh_volumes(self, pod: Pod) -> None:
        """Bring changed ConfigMaps and Secrets to a running pod; what fails is left as it is."""
        try:
            await self._preparer.set_up_volumes(pod, self._memory.address)
        except (VolumeFault, ApiError) as error:
            log.warning("volumes not refreshed", pod=pod.metadata.name, error=str(error))

    # what stands below all containers

    async def _floor(
        self, action: do.SetUpVolumes | do.StartSandbox | do.AttachNetwork, pod: Pod
    ) -> str:
        started = ""
        try:
            match action:
                case do.SetUpVolumes():
                    await self._preparer.set_up_volumes(pod)
                    self._memory.volumes_ready = True
                case do.StartSandbox(attempt):
                    started = await self._start_sandbox(pod, attempt)
                case do.AttachNetwork(_, pid):
                    await self._attach(pod, pid)
        except Unreachable:
            raise
        except (VolumeFault, ApiError) as error:
            self._floor_failed(pod, "FailedMount", str(error))
        except (RuntimeFault, NetworkFault) as error:
            text = f"Failed to create pod sandbox: {error}"
            self._floor_failed(pod, "FailedCreatePodSandBox", text)
        else:
            self._memory.faults.pop(marks.SANDBOX_NAME, None)
        return started

    def _floor_failed(self, pod: Pod, reason: str, message: str) -> None:
        self._note_fault(marks.SANDBOX_NAME, reason, message, FLOOR_PAUSES)
        self._parts.events.warning(pod, reason, message)

    async def _start_sandbox(self, pod: Pod, attempt: int) -> str:
        options = self._parts.options
        spec = sandbox_spec(pod, options.cluster_id, options.pause_image, attempt)
        if attempt > 0:
            self._parts.events.normal(pod, "SandboxChanged", SANDBOX_CHANGED)
        sandbox_id = await self._parts.runtime.create(spec)
        await self._parts.runtime.start(sandbox_id)
        return sandbox_id

    async def _attach(self, pod: Pod, pid: int) -> None:
        if pod.spec.hostNetwork:
            address = self._parts.options.node_ip
        else:
            link = PodLink(pod_uid=pod.metadata.uid, pid=pid, ports=_published(pod), pod=pod)
            address = (await self._parts.network.attach(link)).address
        self._preparer.write_network_files(pod, address)
        self._memory.address = address

    # images

    async def _find_or_fetch(self, pod: Pod, wish: ContainerWish) -> None:
        """What is here is found at once; all else goes on beside the worker."""
        image = await self._parts.images.at_hand(wish.image, wish.imagePullPolicy)
        if image is not None:
            self._image_is_here(pod, wish, image)
            return
        self._memory.images[wish.name] = ImageUnderway()
        _ = self._tasks.spawn(f"image/{wish.name}", self._fetch(pod, wish))

    def _image_is_here(self, pod: Pod, wish: ContainerWish, image: Image, how: str = "") -> None:
        self._memory.images[wish.name] = ImageReady(image.id, image.user)
        self._memory.faults.pop(f"image/{wish.name}", None)
        text = how or f'Container image "{wish.image}" already present on machine'
        self._parts.events.normal(pod, "Pulled", text, wish.name)

    async def _fetch(self, pod: Pod, wish: ContainerWish) -> None:
        events, clock = self._parts.events, self._parts.clock
        begun = clock.monotonic()

        def pulling() -> None:
            events.normal(pod, "Pulling", f'Pulling image "{wish.image}"', wish.name)

        try:
            image, pulled = await self._parts.images.fetch(
                wish.image,
                wish.imagePullPolicy,
                lambda: self._preparer.logins(pod, self._parts.events),
                on_pull=pulling,
            )
        except ImageFault as error:
            self._image_failed(pod, wish, error.reason, str(error))
        except Exception as error:  # noqa: BLE001 - the top of a task: else it would wait for ever
            self._image_failed(pod, wish, "ErrImagePull", str(error) or type(error).__name__)
        else:
            took = clock.monotonic() - begun
            text = f'Successfully pulled image "{wish.image}" in {took:.3g}s' if pulled else ""
            self._image_is_here(pod, wish, image, text)
        self._ring()

    def _image_failed(self, pod: Pod, wish: ContainerWish, reason: str, message: str) -> None:
        events = self._parts.events
        fault = self._note_fault(f"image/{wish.name}", reason, message, IMAGE_PAUSES)
        self._memory.images[wish.name] = fault
        if reason == "InvalidImageName":
            events.warning(pod, "InspectFailed", message, wish.name)
        elif reason == "ErrImageNeverPull":
            events.warning(pod, "ErrImageNeverPull", message, wish.name)
        else:
            text = f'Failed to pull image "{wish.image}": {message}'
            events.warning(pod, "Failed", text, wish.name)
        events.warning(pod, "Failed", f"Error: {reason}", wish.name)

    # containers

    async def _start(self, pod: Pod, action: do.StartContainer) -> str:
        name = action.wish.name
        try:
            container_id = await self._create(pod, action)
        except Unreachable:
            raise
        except ImageMissing:
            self._memory.images.pop(name, None)  # somebody removed it since: fetch again
            return ""
        except (EnvironmentFault, SpecFault, VolumeFault, ApiError) as error:
            self._start_failed(pod, name, "CreateContainerConfigError", str(error))
            return ""
        except StartFailed as error:
            self._start_failed(pod, name, "RunContainerError", str(error))
            return ""
        except (CreateFailed, RuntimeFault) as error:
            self._start_failed(pod, name, "CreateContainerError", str(error))
            return ""
        self._memory.images.pop(name, None)
        self._memory.faults.pop(name, None)
        self._parts.events.normal(pod, "Started", "Container started", name)
        self._after_start(pod, action.wish, container_id)
        return container_id

    async def _create(self, pod: Pod, action: do.StartContainer) -> str:
        runtime = self._parts.runtime
        image = self._memory.images.get(action.wish.name)
        around = await self._preparer.surroundings(
            pod,
            action.wish,
            address=self._memory.address,
            attempt=action.attempt,
            image_user=image.user if isinstance(image, ImageReady) else "",
        )
        container_id = await runtime.create(container_spec(pod, action, around))
        self._parts.events.normal(pod, "Created", "Container created", action.wish.name)
        try:
            await runtime.start(container_id)
        except StartFailed:
            await runtime.remove(container_id)
            raise
        return container_id

    def _start_failed(self, pod: Pod, name: str, reason: str, message: str) -> None:
        self._note_fault(name, reason, message, START_PAUSES)
        self._parts.events.warning(pod, "Failed", f"Error: {message}", name)

    def _after_start(self, pod: Pod, wish: ContainerWish, container_id: str) -> None:
        if wish.lifecycle is not None and wish.lifecycle.postStart is not None:
            self._memory.hooks[container_id] = Hook.RUNNING
            hook = self._post_start(pod, wish, container_id)
            _ = self._tasks.spawn(f"postStart/{wish.name}", hook)

    async def _post_start(self, pod: Pod, wish: ContainerWish, container_id: str) -> None:
        assert wish.lifecycle is not None  # noqa: S101 - the caller looked
        handler = wish.lifecycle.postStart
        assert handler is not None  # noqa: S101 - the caller looked
        target = Target(container_id, wish, self._memory.address)
        outcome = await self._parts.checker.check(handler, target, POST_START_S)
        if outcome.ok:
            self._memory.hooks.pop(container_id, None)
        else:
            self._memory.hooks[container_id] = Hook.FAILED
            text = f"PostStartHook failed: {outcome.text}"
            self._parts.events.warning(pod, "FailedPostStartHook", text, wish.name)
        self._ring()

    async def _stop(self, pod: Pod, action: do.StopContainer) -> None:
        clock = self._parts.clock
        text = action.why or f"Stopping container {action.name}"
        self._parts.events.normal(pod, "Killing", text, action.name)
        deadline = clock.monotonic() + action.grace_s
        try:
            await self._pre_stop(pod, action)
            left = max(0.0, deadline - clock.monotonic())
            if action.grace_s > 0:
                left = max(PRE_STOP_LEFT_S, left)
            await _if_there(self._parts.runtime.stop(action.container_id, left))
        except Exception as error:  # noqa: BLE001 - the top of a task: the worker stops it again
            log.warning("container does not stop", container=action.container_id, error=str(error))
            self._parts.events.warning(pod, "FailedKillPod", str(error), action.name)
            await clock.sleep(FLOOR_PAUSES.delay(1))
        finally:
            self._memory.stopping.pop(action.container_id, None)
            self._ring()

    async def _pre_stop(self, pod: Pod, action: do.StopContainer) -> None:
        wish = next((w for w in every_wish(pod) if w.name == action.name), None)
        if wish is None or wish.lifecycle is None or wish.lifecycle.preStop is None:
            return
        if action.grace_s <= 0:
            return
        target = Target(action.container_id, wish, self._memory.address)
        handler = wish.lifecycle.preStop
        outcome = await self._parts.checker.check(handler, target, action.grace_s)
        if not outcome.ok:
            text = f"PreStopHook failed: {outcome.text}"
            self._parts.events.warning(pod, "FailedPreStopHook", text, action.name)

    def _note_fault(self, key: str, reason: str, message: str, pauses: Backoff) -> Fault:
        now = self._parts.clock.wall()
        before = self._memory.faults.get(key)
        failures = before.failures + 1 if before is not None else 1
        fault = Fault(reason, message, failures, now, now + pauses.delay(failures))
        self._memory.faults[key] = fault
        return fault


def _published(pod: Pod) -> tuple[Published, ...]:
    """The host's ports that lead to a pod."""
    return tuple(
        Published("" if one.ip == EVERY_ADDRESS else one.ip, one.protocol, one.port, port)
        for one, port in host_ports(pod).items()
    )


async def _if_there(call: Awaitable[None]) -> None:
    """Wait for a call on a container that may be gone by now."""
    try:
        await call
    except NotThere:
        return
