"""The C library's heap of a process that shall stay small: what was freed goes back to the host.

glibc keeps a heap for each thread and holds on to what it once had; an agent of 60 MB then shows
80. `keep_small` is called at start, `trim` now and then by whoever has a slow timer anyway (some
milliseconds). Does nothing where the C library is another one.

Source: mallopt(3), malloc_trim(3).
"""

import ctypes

_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1
_LARGE = 128 * 1024
"""A block of this size gets pages of its own; said aloud, glibc no longer moves the limit up."""


def keep_small() -> None:
    """Two heaps for all threads, and no hoarding."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_ARENA_MAX, 2)
        libc.mallopt(_MMAP_THRESHOLD, _LARGE)
        libc.mallopt(_TRIM_THRESHOLD, _LARGE)


def trim() -> None:
    """Give free pages back."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
