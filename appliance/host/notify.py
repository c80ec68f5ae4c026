"""Tell systemd that we are ready or stopping, where systemd started us. Source: sd_notify(3)."""

import socket
from collections.abc import Mapping


def notify(state: str, environ: Mapping[str, str]) -> None:
    """Send `READY=1` or `STOPPING=1` to the socket in NOTIFY_SOCKET, if there is one.

    Raises:
        OSError: the socket named there can't be reached.
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # an abstract socket
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
        unix.connect(address)
        unix.send(state.encode())
