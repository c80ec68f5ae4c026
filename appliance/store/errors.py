"""Refusals of the store.

Errors carry etcd's exact texts, because clients match on them:

    StoreError
      Compacted        the revision is gone
      FutureRevision   the revision has not happened yet
      KeyNotFound      put with ignore_value or ignore_lease on a missing key
      EmptyKey, ValueProvided, LeaseProvided, DuplicateKey, TooManyOps, TooLarge, NoSpace
      PrefixFull       the quota of a prefix is used up; the text names it
      EmptyRange       a watch of [key, end) with end before key
      LeaseNotFound, LeaseExists, LeaseTtlTooLarge
      Overrun          the watcher fell too far behind and was cut
      TimedOut         the write had to wait too long; nothing was written
      Unavailable      the database behind the store does not answer; a write may have happened
      Closed           the store has been closed
      Unusable         the store's file cannot be opened or written; the text has the remedy
      InUse            … because another process has it

Source: etcd `api/v3/rpctypes`.
"""

from typing import ClassVar


class StoreError(Exception):
    """Base of all refusals; `str()` is etcd's text."""

    text: ClassVar[str] = "etcdserver: unknown error"

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or self.text)


class Compacted(StoreError):
    """The asked-for revision has been compacted."""

    text = "etcdserver: mvcc: required revision has been compacted"

    def __init__(self, compact_revision: int = 0) -> None:
        super().__init__()
        self.compact_revision = compact_revision


class FutureRevision(StoreError):
    """The asked-for revision lies in the future."""

    text = "etcdserver: mvcc: required revision is a future revision"


class KeyNotFound(StoreError):
    """ignore_value or ignore_lease needs an existing key."""

    text = "etcdserver: key not found"


class EmptyKey(StoreError):
    """A put or range without a key."""

    text = "etcdserver: key is not provided"


class ValueProvided(StoreError):
    """A put with ignore_value carries a value."""

    text = "etcdserver: value is provided"


class LeaseProvided(StoreError):
    """A put with ignore_lease carries a lease."""

    text = "etcdserver: lease is provided"


class EmptyRange(StoreError):
    """A watch over no key at all."""

    text = "mvcc: watcher range is empty"


class DuplicateKey(StoreError):
    """A transaction puts a key twice."""

    text = "etcdserver: duplicate key given in txn request"


class TooManyOps(StoreError):
    """A transaction has more operations than allowed."""

    text = "etcdserver: too many operations in txn request"


class TooLarge(StoreError):
    """A request is over the size limit."""

    text = "etcdserver: request is too large"


class NoSpace(StoreError):
    """The quota is used up."""

    text = "etcdserver: mvcc: database space exceeded"


class PrefixFull(NoSpace):
    """The quota of one prefix is used up."""

    def __init__(self, prefix: str, *, used_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"{self.text}: {prefix} holds {used_bytes} bytes of its quota of {limit_bytes};"
            " delete some of it, or raise --prefix-quota"
        )


class LeaseNotFound(StoreError):
    """There is no such lease, or it has run out."""

    text = "etcdserver: requested lease not found"


class LeaseExists(StoreError):
    """The lease id is taken."""

    text = "etcdserver: lease already exists"


class LeaseTtlTooLarge(StoreError):
    """The TTL is over the limit."""

    text = "etcdserver: too large lease TTL"


class Overrun(StoreError):
    """The watcher did not keep up and its backlog reached the bound."""

    text = "appliance: watcher overrun"


class TimedOut(StoreError):
    """The write could not begin in time; nothing was written."""

    text = "etcdserver: request timed out"


class Unavailable(StoreError):
    """The database behind the store does not answer; whether a write has happened is not known."""

    text = "etcdserver: request timed out, possibly due to connection lost"


class Closed(StoreError):
    """The store has been closed."""

    text = "etcdserver: server stopped"


class Unusable(StoreError):
    """The file behind the store cannot be used; `str()` names it and says what to do."""


class Damaged(Unusable):
    """The file is not whole: what it holds cannot be trusted."""


class InUse(Unusable):
    """Another process has the store's file."""
