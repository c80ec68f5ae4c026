"""A writer that never stops: run by `test_store_crash`, which kills it.

usage: crash_writer.py FILE ROUND [CLIENTS]. Prints one line per acknowledged write, `key revision`.
"""

import asyncio
import sys
from pathlib import Path

from appliance.kit.clock import SystemClock
from appliance.store import ops
from appliance.store.options import StoreOptions
from appliance.store.sql.store import SqlStore


async def main(path: Path, turn: str, clients: int) -> None:
    options = StoreOptions(
        compact_step=20,
        ephemeral_prefixes=(b"e/",),
        reserve_revisions=50,
        checkpoint_bytes=65_536,
        reserve_bytes=2 << 20,
    )
    store = await SqlStore.open(path, options, SystemClock())

    def acknowledged(key: bytes, revision: int) -> None:
        sys.stdout.write(f"{key.decode()} {revision}\n")
        sys.stdout.flush()

    async def client(number: int) -> None:
        for n in range(1_000_000):
            key = b"%s/%d/%d" % (turn.encode(), number, n)
            acknowledged(key, (await ops.put(store, key, key)).revision)
            if n % 5 == number % 5:
                acknowledged(b"e/x", (await ops.put(store, b"e/x", key)).revision)
            if number == 0 and n % 25 == 24:
                await store.compact((await store.status()).revision - 40)

    sys.stdout.write("ready 0\n")
    sys.stdout.flush()
    await asyncio.gather(*(client(number) for number in range(clients)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if sys.argv[3:] else 8))
