"""Which name and address this host has towards the others."""

import socket

_SOMEWHERE = "192.0.2.1"  # a documentation address, which only the default route leads to
_PORT = 9  # connecting UDP sends nothing, it only looks for the way
LOOPBACK = "127.0.0.1"


def host_address(towards: str = _SOMEWHERE) -> str:
    """The address from which `towards` is reached; loopback where no way leads there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards, _PORT))
        except OSError:
            return LOOPBACK
        return str(probe.getsockname()[0])


def host_name() -> str:
    """The host's name as a node name: lower case, as DNS-1123 has it."""
    return socket.gethostname().lower()
