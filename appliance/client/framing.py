"""Bytes of a watch answer → lines, one JSON object each. Sans-IO.

`HttpClient.watch` feeds it the chunks as they come; a chunk may end anywhere.
Bounded by: `LINE_LIMIT_BYTES` held for a line that has not ended yet.
"""

from collections.abc import Iterator

LINE_LIMIT_BYTES = 8 * 1024 * 1024  # an object is at most about 1.5 MiB, its event little more


class LineTooLong(Exception):
    """The other side sends something that is no watch."""


class Lines:
    """Cuts a stream of bytes at its line ends."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Give each line that `chunk` completes.

        Raises:
            LineTooLong: the line that is not complete is over the limit.
        """
        if self._rest:
            self._rest += chunk
            chunk = bytes(self._rest)
            self._rest.clear()
        *lines, rest = chunk.split(b"\n")
        self._rest += rest
        if len(self._rest) > LINE_LIMIT_BYTES:
            raise LineTooLong(f"more than {LINE_LIMIT_BYTES} bytes without a line end")
        return (line for line in lines if line)
