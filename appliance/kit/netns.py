"""Sockets inside another process's network namespace.

A socket belongs for good to the namespace of the thread that made it, so a thread that lives for
just that one call goes there, makes it, and ends: no fork, and no thread is left behind in the
wrong place. Used by the pod network (netlink) and where something inside a pod is to be reached.

Source: setns(2), network_namespaces(7).
"""

import asyncio
import ctypes
import os
import socket
from concurrent.futures import ThreadPoolExecutor

_CLONE_NEWNET = 0x40000000


async def socket_inside(
    pid: int,
    family: int = socket.AF_INET,
    kind: int = socket.SOCK_STREAM,
    protocol: int = 0,
) -> socket.socket:
    """A socket in the network namespace of a process; the caller closes it.

    Raises:
        ProcessLookupError: the process has ended.
        PermissionError: we are not root.
    """
    with ThreadPoolExecutor(1, thread_name_prefix=f"netns-{pid}") as visitor:
        return await asyncio.get_running_loop().run_in_executor(
            visitor, _make, pid, family, kind, protocol
        )


def _make(pid: int, family: int, kind: int, protocol: int) -> socket.socket:
    try:
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise ProcessLookupError(f"process {pid} has ended") from error
    try:
        if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(namespace)
    return socket.socket(family, kind, protocol)
