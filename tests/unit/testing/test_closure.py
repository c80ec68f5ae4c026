"""What `ldd` prints is read right; the real one agrees about this interpreter."""

import asyncio
import sys
from pathlib import Path

import pytest

from appliance.testing.nodeimage.closure import MissingLibrary, libraries, parse


def test_libraries_and_the_loader_are_found_and_the_kernels_own_is_not() -> None:
    text = """/usr/bin/x:
\tlinux-vdso.so.1 (0x00007ffd)
\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f1)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f2)
/usr/bin/static:
\tnot a dynamic executable
"""
    assert parse(text) == {
        Path("/lib/x86_64-linux-gnu/libz.so.1"),
        Path("/lib64/ld-linux-x86-64.so.2"),
    }


def test_a_library_that_is_not_here_is_named() -> None:
    with pytest.raises(MissingLibrary, match=r"libgone\.so\.3"):
        parse("\tlibgone.so.3 => not found\n")


def test_this_interpreter_needs_a_c_library_that_exists() -> None:
    found = asyncio.run(libraries([Path(sys.executable).resolve()]))
    assert any(path.name.startswith("libc") for path in found)
    assert all(path.exists() for path in found)
