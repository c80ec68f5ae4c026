"""Which name and address this host has towards the others."""

import socket

_SOMEWHERE = ("192.0.2.1", 9)  # documentation address: connecting UDP sends nothing, it only routes


def host_address() -> str:
    """The address that the default route leaves from; loopback on a host without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_SOMEWHERE)
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def host_name() -> str:
    """The host's name as a node name: lower case, as DNS-1123 has it."""
    return socket.gethostname().lower()
