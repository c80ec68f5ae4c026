"""CRC-32C (Castagnoli), as etcd hashes with; eight bytes a step.

About 10 MB/s: there is no faster one in the standard library. Callers hash in pieces and yield.

Source: RFC 3720, appendix B.4; "slicing by 8" (Kounavis and Berry, 2005).
"""

import struct

_POLYNOMIAL = 0x82F63B78


def _tables() -> tuple[tuple[int, ...], ...]:
    first = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        first.append(value)
    tables = [tuple(first)]
    for _ in range(7):
        tables.append(tuple(value >> 8 ^ first[value & 0xFF] for value in tables[-1]))
    return tuple(tables)


_T0, _T1, _T2, _T3, _T4, _T5, _T6, _T7 = _tables()


def crc32c(data: bytes, before: int = 0) -> int:
    """The checksum of `data`, going on from that of what came before it."""
    crc = before ^ 0xFFFFFFFF
    whole = len(data) & ~7
    for low, high in struct.iter_unpack("<II", data[:whole]):
        low ^= crc  # noqa: PLW2901 - the running checksum enters the first word
        crc = (
            _T7[low & 0xFF]
            ^ _T6[low >> 8 & 0xFF]
            ^ _T5[low >> 16 & 0xFF]
            ^ _T4[low >> 24]
            ^ _T3[high & 0xFF]
            ^ _T2[high >> 8 & 0xFF]
            ^ _T1[high >> 16 & 0xFF]
            ^ _T0[high >> 24]
        )
    for byte in data[whole:]:
        crc = crc >> 8 ^ _T0[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
