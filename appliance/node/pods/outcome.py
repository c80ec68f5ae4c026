"""Pure: whether a pod has come to its end, and the rules that `plan` and `status` share."""

from appliance.api.kinds.core.pod.container import Container as ContainerWish
from appliance.api.kinds.core.pod.kind import Pod
from appliance.kit.clock import parse_rfc3339
from appliance.node.pods import restarts
from appliance.node.pods.view import View, is_sidecar
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import State

LOST_EXIT_CODE = 137
"""Exit code of a container that somebody removed: nobody knows the real one."""
TERMINAL = ("Succeeded", "Failed")


def policy_of(pod: Pod, wish: ContainerWish, role: str) -> str:
    """The restart policy of one container: an init container that failed is tried again unless
    the pod says Never.
    """
    if role == marks.ROLE_APP:
        return pod.spec.restartPolicy or restarts.ALWAYS
    if role == marks.ROLE_DEBUG:
        return restarts.NEVER
    if is_sidecar(wish):
        return restarts.ALWAYS
    never = pod.spec.restartPolicy == restarts.NEVER
    return restarts.NEVER if never else restarts.ON_FAILURE


def deadline_of(view: View) -> float | None:
    """When `activeDeadlineSeconds` runs out, in seconds since 1970."""
    limit_s = view.pod.spec.activeDeadlineSeconds
    started = view.memory.last.startTime
    if limit_s is None or not started:
        return None
    return parse_rfc3339(started) + limit_s


def is_over(view: View, now: float) -> bool:
    """Whether nothing of this pod will ever run again; once over, always over."""
    if view.memory.last.phase in TERMINAL:
        return True
    deadline = deadline_of(view)
    if deadline is not None and now >= deadline:
        return True
    if init_failed(view):
        return True
    return all(_is_done(view, wish) for wish in view.pod.spec.containers)


def init_is_done(view: View, wish: ContainerWish) -> bool:
    """Whether an init container ended well in the present sandbox."""
    newest = view.newest(wish.name)
    sandbox = view.sandbox
    return (
        newest is not None
        and newest.state is State.EXITED
        and newest.exit_code == 0
        and (sandbox is None or newest.marks.get(marks.SANDBOX) == sandbox.id)
    )


def init_failed(view: View) -> bool:
    """Whether an init container failed and the pod does not try again."""
    return view.pod.spec.restartPolicy == restarts.NEVER and any(
        (newest := view.newest(wish.name)) is not None
        and newest.state is State.EXITED
        and newest.exit_code != 0
        for wish in view.pod.spec.initContainers
        if not is_sidecar(wish)
    )


def is_lost(view: View, wish: ContainerWish) -> bool:
    """Whether a container that we once had is gone without a trace."""
    before = view.last_of(wish.name)
    return view.newest(wish.name) is None and before is not None and bool(before.containerID)


def _is_done(view: View, wish: ContainerWish) -> bool:
    policy = policy_of(view.pod, wish, marks.ROLE_APP)
    newest = view.newest(wish.name)
    if newest is None:
        return is_lost(view, wish) and not restarts.runs_again(policy, LOST_EXIT_CODE)
    return newest.state is State.EXITED and not restarts.runs_again(policy, newest.exit_code)
