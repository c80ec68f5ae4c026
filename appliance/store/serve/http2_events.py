"""What an HTTP/2 connection tells its owner (`http2.Connection.receive`)."""

from typing import NamedTuple

from appliance.store.serve.hpack import Header


class Opened(NamedTuple):
    """A stream with its headers; `ended`: nothing else will come."""

    stream_id: int
    headers: tuple[Header, ...]
    ended: bool


class Data(NamedTuple):
    """Bytes of a stream; `ended`: the last ones."""

    stream_id: int
    data: bytes
    ended: bool


class Reset(NamedTuple):
    """The peer gave the stream up."""

    stream_id: int


class Drained(NamedTuple):
    """Little is left queued for the stream: whoever waits may send more."""

    stream_id: int


Event = Opened | Data | Reset | Drained
