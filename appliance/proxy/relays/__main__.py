"""The relay process: `python -m appliance.proxy.relays CLUSTER_ID NETWORK-OF-PODS…`.

Started by `backends/userspace.py`; it listens where the agent finds it and ends when told to.
"""

import gc
import resource
import signal
import sys

from appliance.kit.clock import SystemClock
from appliance.proxy.relays.control import Control
from appliance.proxy.relays.poller import Poller
from appliance.proxy.relays.wire import meeting_point

_GARBAGE_AFTER = 50_000  # connections leave no cycles behind; looking for some is all it costs


def main(argv: list[str]) -> None:
    """Relay until told to stop."""
    cluster_id, *inside = argv
    clock = SystemClock()
    poller = Poller(clock)
    try:
        Control(poller, clock, inside).listen(meeting_point(cluster_id))
    except OSError:
        return  # another one is there; the agent will find that one
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGTERM, lambda *_: poller.stop())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(_GARBAGE_AFTER)
    poller.run()


if __name__ == "__main__":
    main(sys.argv[1:])
