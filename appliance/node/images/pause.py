"""The sandbox image: a program that holds a pod's namespaces and does nothing else.

`ensure_pause` is called by the agent before its first sandbox. The image is made here, byte by
byte, from about 200 bytes of machine code: a node needs neither a registry nor a compiler to run
its first pod. The program is the same for both processors:

    block SIGINT, SIGTERM and SIGCHLD     (a blocked signal waits for us even as process 1, whose
    loop:                                  unhandled signals the kernel otherwise throws away)
        wait for one of them
        SIGCHLD: reap every child that ended, go on
        SIGINT, SIGTERM: exit 0

Sources: the ELF-64 object file format; Linux system call tables of x86-64 and arm64.
"""

import platform
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from appliance.node.images.archive import File, docker_archive
from appliance.node.runtimes.base import Runtime

PAUSE_IMAGE = "appliance.local/pause:1"

_LOAD_ADDRESS = 0x400000
_HEADERS_BYTES = 64 + 56  # ELF header, one program header
_SIGINT, _SIGTERM, _SIGCHLD = 2, 15, 17
_SIGNAL_SET = sum(1 << (number - 1) for number in (_SIGINT, _SIGTERM, _SIGCHLD))
_SET_BYTES = 8  # what the kernel calls sigsetsize


class UnknownProcessor(Exception):
    """There is no pause program for this processor."""


@dataclass(slots=True)
class _Code:
    """Instructions as bytes, with labels and the jumps to them."""

    data: bytearray = field(default_factory=bytearray)
    labels: dict[str, int] = field(default_factory=dict)
    jumps: list[tuple[int, str, Callable[[int], bytes]]] = field(default_factory=list)

    def label(self, name: str) -> None:
        self.labels[name] = len(self.data)

    def put(self, *parts: bytes) -> None:
        self.data += b"".join(parts)

    def jump(self, name: str, encode: Callable[[int], bytes]) -> None:
        """An instruction whose operand is the distance to a label, from its own start."""
        self.jumps.append((len(self.data), name, encode))
        self.data += bytes(len(encode(0)))

    def bytes(self) -> bytes:
        for at, name, encode in self.jumps:
            instruction = encode(self.labels[name] - at)
            self.data[at : at + len(instruction)] = instruction
        return bytes(self.data)


def _x86_64() -> bytes:
    syscall = b"\x0f\x05"
    rsi_is_stack, rdi_is_stack = b"\x48\x89\xe6", b"\x48\x89\xe7"  # mov rsi, rsp; mov rdi, rsp
    zero_rdi, zero_rsi = b"\x31\xff", b"\x31\xf6"  # xor edi, edi; xor esi, esi
    zero_rdx, zero_r10 = b"\x31\xd2", b"\x45\x31\xd2"  # xor edx, edx; xor r10d, r10d

    def eax(value: int) -> bytes:  # mov eax, value
        return b"\xb8" + struct.pack("<I", value)

    def r10(value: int) -> bytes:  # mov r10d, value
        return b"\x41\xba" + struct.pack("<I", value)

    def short(opcode: int) -> Callable[[int], bytes]:  # counts from the instruction's end
        return lambda distance: struct.pack("<Bb", opcode, distance - 2)

    je, jle, jg, jmp = short(0x74), short(0x7E), short(0x7F), short(0xEB)
    code = _Code()
    code.put(eax(_SIGNAL_SET), b"\x50")  # push rax: the set is now at rsp
    # system call rt_sigprocmask: SIG_BLOCK, set, NULL, 8
    code.put(eax(14), zero_rdi, rsi_is_stack, zero_rdx, r10(_SET_BYTES), syscall)
    code.label("wait")
    # system call rt_sigtimedwait: set, NULL, NULL, 8
    code.put(eax(128), rdi_is_stack, zero_rsi, zero_rdx, r10(_SET_BYTES), syscall)
    code.put(b"\x83\xf8", bytes([_SIGCHLD]))  # cmp eax, SIGCHLD
    code.jump("reap", je)
    code.put(b"\x85\xc0")  # test eax, eax
    code.jump("wait", jle)  # interrupted
    code.put(eax(231), zero_rdi, syscall)  # exit_group(0)
    code.label("reap")
    # system call wait4: -1, NULL, WNOHANG, NULL; mov rdi, -1; mov edx, 1
    code.put(eax(61), b"\x48\xc7\xc7\xff\xff\xff\xff", zero_rsi)
    code.put(b"\xba\x01\x00\x00\x00", zero_r10, syscall)
    code.put(b"\x85\xc0")  # test eax, eax
    code.jump("reap", jg)  # it was one: there may be more
    code.jump("wait", jmp)
    return code.bytes()


def _arm64() -> bytes:
    def word(value: int) -> bytes:
        return struct.pack("<I", value)

    def x(register: int, value: int) -> bytes:  # movz xN, value
        return word(0xD2800000 | value << 5 | register)

    def branch(condition: int) -> Callable[[int], bytes]:  # b.cond, 19 bits, in words
        return lambda distance: word(0x54000000 | (distance >> 2 & 0x7FFFF) << 5 | condition)

    def always(distance: int) -> bytes:  # b, 26 bits, in words
        return word(0x14000000 | distance >> 2 & 0x3FFFFFF)

    def compare_x0(value: int) -> bytes:  # cmp x0, value
        return word(0xF100001F | value << 10)

    call = word(0xD4000001)  # svc 0; number in x8
    x0_is_stack, x1_is_stack = word(0x910003E0), word(0x910003E1)  # mov x0, sp; mov x1, sp
    minus_one = word(0x92800000)  # movn x0, 0
    equal, at_most, more = branch(0), branch(13), branch(12)
    code = _Code()
    code.put(word(0xD10043FF))  # sub sp, sp, 16
    # movz x9, low half; movk x9, high half, lsl 16; str x9, [sp]
    code.put(x(9, _SIGNAL_SET & 0xFFFF), word(0xF2A00000 | _SIGNAL_SET >> 16 << 5 | 9))
    code.put(word(0xF90003E9))
    # system call rt_sigprocmask: SIG_BLOCK, set, NULL, 8
    code.put(x(8, 135), x(0, 0), x1_is_stack, x(2, 0), x(3, _SET_BYTES), call)
    code.label("wait")
    # system call rt_sigtimedwait: set, NULL, NULL, 8
    code.put(x(8, 137), x0_is_stack, x(1, 0), x(2, 0), x(3, _SET_BYTES), call)
    code.put(compare_x0(_SIGCHLD))
    code.jump("reap", equal)
    code.put(compare_x0(0))
    code.jump("wait", at_most)  # interrupted
    code.put(x(8, 94), x(0, 0), call)  # exit_group(0)
    code.label("reap")
    # system call wait4: -1, NULL, WNOHANG, NULL
    code.put(x(8, 260), minus_one, x(1, 0), x(2, 1), x(3, 0), call)
    code.put(compare_x0(0))
    code.jump("reap", more)  # it was one: there may be more
    code.jump("wait", always)
    return code.bytes()


@dataclass(frozen=True, slots=True)
class _Processor:
    go_name: str
    elf_number: int
    code: Callable[[], bytes]


_PROCESSORS: Mapping[str, _Processor] = {
    "x86_64": _Processor("amd64", 62, _x86_64),
    "aarch64": _Processor("arm64", 183, _arm64),
}


def pause_program(machine: str) -> bytes:
    """The whole executable, for a processor as `uname -m` names it.

    Raises:
        UnknownProcessor: we have no code for it.
    """
    processor = _processor(machine)
    code = processor.code()
    size, entry = _HEADERS_BYTES + len(code), _LOAD_ADDRESS + _HEADERS_BYTES
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)  # 64 bits, little endian, version 1
    # type EXEC; program headers follow at 64; no sections
    fields = (2, processor.elf_number, 1, entry, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    header = identity + struct.pack("<HHIQQQIHHHHHH", *fields)
    # LOAD, read and execute, the file as a whole, aligned to the largest page
    load = (1, 5, 0, _LOAD_ADDRESS, _LOAD_ADDRESS, size, size, 0x10000)
    return header + struct.pack("<IIQQQQQQ", *load) + code


def pause_archive(machine: str = "") -> bytes:
    """The image as a docker-archive, for this host's processor unless another is named."""
    machine = machine or platform.machine()
    return docker_archive(
        PAUSE_IMAGE,
        {"pause": File(pause_program(machine), 0o755)},
        architecture=_processor(machine).go_name,
        config={"Entrypoint": ["/pause"], "User": "65535:65535", "WorkingDir": "/"},
    )


async def ensure_pause(runtime: Runtime) -> None:
    """Load the image where it is missing."""
    if await runtime.image(PAUSE_IMAGE) is None:
        await runtime.load(pause_archive())


def _processor(machine: str) -> _Processor:
    try:
        return _PROCESSORS[machine]
    except KeyError:
        known = ", ".join(_PROCESSORS)
        raise UnknownProcessor(
            f"no pause program for {machine!r}; there is one for {known}"
        ) from None
