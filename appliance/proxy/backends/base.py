"""The `Backend` protocol: make a whole table of services work on this host.

What every implementation promises (`tests/contract/test_backend.py`): `apply` takes the whole
table and returns once connections follow it; applying the same table twice changes nothing;
open connections to endpoints that stay are not cut; `clean_up` removes everything of ours.
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

    async def clean_up(self) -> None:
        """Remove everything that `apply` made."""
        ...
