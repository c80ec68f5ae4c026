"""Keys that belong together: the bounds [key, end); `end` b"" for one key."""

Span = tuple[bytes, bytes]
