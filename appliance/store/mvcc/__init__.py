"""The pure part of the store: no SQL, no sockets, no clock."""
