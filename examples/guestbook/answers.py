"""Wait until a guestbook answers a read through frontend and replica.

    python -m examples.guestbook.answers http://10.0.0.5:30080/ [seconds]

Called by `make up`: after a `make down` the statuses in the store are those of before, until the
agent has looked, so the word of the store that all is running is not enough.
"""

import json
import sys
import time
import urllib.request

DEADLINE_S = 90.0
_PAUSE_S = 0.2


def wait(url: str, deadline_s: float) -> str:
    """Ask until it answers; "" then, or the last complaint when time is up."""
    end = time.monotonic() + deadline_s  # noqa: TID251 - a script without a loop to test
    while True:
        try:
            with urllib.request.urlopen(f"{url}?cmd=get&key=messages", timeout=5) as answer:  # noqa: S310
                json.load(answer)["data"]
        except (OSError, ValueError, KeyError) as error:
            complaint = str(error)
        else:
            return ""
        if time.monotonic() > end:  # noqa: TID251
            return complaint
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else DEADLINE_S
    if said := wait(sys.argv[1], seconds):
        sys.exit(f"the guestbook at {sys.argv[1]} does not answer: {said}")
