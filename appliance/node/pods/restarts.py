"""Pure: does a container that ended run again, and when.

Called by `plan`. There is no table of back-offs: a container's marks say how many quick ends came
before it (its streak), its times say how long it ran, so the answer is the same after a restart
of the agent.

    ends at 0 s   streak 0  again at once, the next one has streak 1
    ends at 1 s   streak 1  again after 10 s, the next one has streak 2
    ends at 12 s  streak 2  again after 20 s …, 300 s at most
    a run of 10 minutes or more counts as streak 0 again
"""

from appliance.kit.backoff import Backoff
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Container

BACKOFF = Backoff(base_s=10.0, factor=2.0, maximum_s=300.0)
HEALTHY_AFTER_S = 600.0
"""A container that ran this long has earned a fresh start."""

ALWAYS = "Always"
ON_FAILURE = "OnFailure"
NEVER = "Never"


def runs_again(policy: str, exit_code: int) -> bool:
    """Whether the restart policy wants a successor after this exit code; "" means Always."""
    if policy == NEVER:
        return False
    return policy != ON_FAILURE or exit_code != 0


def streak(ended: Container) -> int:
    """Quick ends in a row before this one."""
    ran_s = ended.finished_at - ended.started_at if ended.started_at else 0.0
    return 0 if ran_s >= HEALTHY_AFTER_S else marks.number(ended.marks, marks.STREAK)


def pause_s(ended: Container) -> float:
    """How long after its end the successor has to wait."""
    return BACKOFF.delay(streak(ended))


def due_at(ended: Container) -> float:
    """When the successor may start, in seconds since 1970."""
    return ended.finished_at + pause_s(ended)
