"""The last lines of a log that came in chunks. Pure.

Podman counts what the program wrote, not lines, and loses the beginnings of lines that were written
in parts. Its driver therefore reads the whole log, which the engine bounds, and cuts it itself.
"""

from collections.abc import Sequence

from appliance.node.runtimes.base import LogChunk


def last_lines(chunks: Sequence[LogChunk], lines: int) -> list[LogChunk]:
    """Keep the chunks, cut where need be, that hold the last `lines` lines."""
    if lines <= 0:
        return []
    kept: list[LogChunk] = []
    ends = 0
    for chunk in reversed(chunks):
        data = chunk.data
        cut = len(data)
        while cut > 0:
            newline = data.rfind(b"\n", 0, cut)
            if newline < 0:
                break
            last_byte = not kept and newline == len(data) - 1
            if not last_byte:
                ends += 1
                if ends == lines:
                    if newline + 1 < len(data):
                        kept.append(LogChunk(chunk.stream, data[newline + 1 :]))
                    return kept[::-1]
            cut = newline
        kept.append(chunk)
    return kept[::-1]
