"""What all masters of a cluster have in common, passed on through the store they share.

The authorities, their keys, and the key that signs service accounts, sealed with the cluster's
token: the first master puts them there, every other one must be given the same `--token`, opens
them and writes the files that it would else have made itself. Whoever reads the database without
the token has nothing. Called by `assembly` before any certificate is made.
"""

import asyncio
import base64
import json

import structlog

from appliance.control.credentials import Credentials
from appliance.kit import sealing
from appliance.store import ops
from appliance.store.base import Compare, CompareTarget, Put, Store, Txn

log = structlog.get_logger(__name__)

KEY = b"/appliance/credentials"


class OtherCluster(Exception):
    """This host and the datastore do not belong together; the text says what to do."""


async def share_credentials(
    store: Store, credentials: Credentials, *, token: str, now: float
) -> None:
    """Make this host's authorities those of the cluster; `token` may have been given, or not.

    Raises:
        OtherCluster: the token does not open them, or this host has others.
    """
    before = credentials.authority_files()
    found = await ops.get(store, KEY)
    if found is None:
        credentials.ensure_token(token)
        await _offer(store, credentials, now)
        found = await ops.get(store, KEY)
    if found is None:
        raise OtherCluster("the cluster's credentials went from the datastore; start again")
    word = token or credentials.token_or_none()
    files = await asyncio.to_thread(_opened, found.value, word)
    if differing := [name for name in files if before.get(name, files[name]) != files[name]]:
        raise OtherCluster(
            f"this host has other credentials than the datastore ({', '.join(differing)}): it"
            " belongs to another cluster; use an empty --data-dir, or another datastore"
        )
    credentials.write_authority_files(files)
    credentials.ensure_token(token)


async def _offer(store: Store, credentials: Credentials, now: float) -> None:
    """Put ours there, unless another master is faster."""
    credentials.ensure_authorities(now)
    content = {
        name: base64.b64encode(data).decode()
        for name, data in credentials.authority_files().items()
    }
    word = credentials.token()
    sealed = await asyncio.to_thread(sealing.seal, json.dumps(content).encode(), word)
    absent = Compare(key=KEY, target=CompareTarget.MOD, operand=0)
    put = Put(key=KEY, value=sealed)
    if (await store.txn(Txn(compares=(absent,), success=(put,)), "appliance")).succeeded:
        log.info("cluster credentials are in the datastore; other servers need the same token")


def _opened(sealed: bytes, word: str | None) -> dict[str, bytes]:
    if word is None:
        raise OtherCluster(
            "the datastore belongs to a cluster already: give its token with --token"
            " (the first server has it in server/token under its data directory)"
        )
    try:
        content = json.loads(sealing.unseal(sealed, word))
    except sealing.WrongWord:
        raise OtherCluster(
            "the token does not open the cluster's credentials in the datastore: give the token"
            " of the first server (server/token under its data directory) with --token"
        ) from None
    return {name: base64.b64decode(data) for name, data in content.items()}
