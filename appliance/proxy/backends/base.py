"""The `Backend` protocol: make a whole table of services work on this host.

What every implementation promises (`tests/contract/test_backend.py`): `apply` takes the whole
table and returns once connections follow it; applying the same table twice changes nothing;
open connections to endpoints that stay are not cut; `drifted` returns when somebody else has
undone a part of it, and the next `apply` puts it right; `clean_up` removes everything of ours.
"""

from typing import Protocol

from appliance.proxy.table import ServiceTable


class BackendFault(Exception):
    """Services can't be made to work; `str()` says what is missing and what to do."""


class Backend(Protocol):
    """nftables, userspace, or a recording fake."""

    async def apply(self, table: ServiceTable) -> None:
        """Make the host do what the table says."""
        ...

    async def drifted(self) -> None:
        """Wait until somebody else changes what `apply` made; for ever where that can't be."""
        ...

    async def clean_up(self) -> None:
        """Remove everything that `apply` made."""
        ...
