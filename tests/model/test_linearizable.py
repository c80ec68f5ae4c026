"""Concurrent gets, puts, compare-and-sets and deletes over the wire form one order on each key.

`LINEAR_CALLS` says how many calls; `make prove-store` asks for more than CI does.
"""

import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from pathlib import Path

from appliance.store.serve.messages import kv
from tests.conform.etcd_endpoints import ours
from tests.lab.etcd_client import EtcdClient, etcd_client
from tests.model.linearizable import Call, linearizable

CALLS = int(os.environ.get("LINEAR_CALLS", "2000"))
CLIENTS = 12
KEYS = CALLS // 100  # the judge takes time that grows fast with the calls of a key
KV = "/etcdserverpb.KV/"


@dataclass
class Shared:
    """What the clients have in common."""

    values: "count[int]" = field(default_factory=lambda: count(1))
    last_seen: dict[int, str] = field(default_factory=dict)
    """By key: what a compare-and-set expects, so that it is often still there."""


class Client:
    """One client's calls, with the times at which they began and ended."""

    def __init__(self, etcd: EtcdClient, rng: random.Random, shared: Shared) -> None:
        self._etcd = etcd
        self._rng = rng
        self._values = shared.values
        self._last_seen = shared.last_seen
        self._time: Callable[[], float] = asyncio.get_running_loop().time
        self.history: dict[int, list[Call]] = {}

    async def call(self, number: int) -> None:
        """A call on a key, drawn."""
        key = b"key-%d" % number
        draw = self._rng.choice(
            [self._get, self._get, self._put, self._cas, self._cas, self._delete]
        )
        began = self._time()
        call = await draw(key, self._last_seen.get(number, "0"))
        call = replace(call, began=began, ended=self._time())
        self.history.setdefault(number, []).append(call)
        seen = call.value if call.op == "put" or call.succeeded else call.found
        if seen:
            self._last_seen[number] = seen

    async def _get(self, key: bytes, _last: str) -> Call:
        ended = await self._etcd.call(KV + "Range", kv.RangeRequest(key=key), kv.RangeResponse)
        assert isinstance(ended.answer, kv.RangeResponse), ended
        kvs = ended.answer.kvs
        return Call("get", 0, found=kvs[0].value.decode() if kvs else None)

    async def _put(self, key: bytes, _last: str) -> Call:
        value = str(next(self._values))
        put = kv.PutRequest(key=key, value=value.encode())
        ended = await self._etcd.call(KV + "Put", put, kv.PutResponse)
        assert isinstance(ended.answer, kv.PutResponse), ended
        return Call("put", 0, value=value)

    async def _delete(self, key: bytes, _last: str) -> Call:
        request = kv.DeleteRangeRequest(key=key, prev_kv=True)
        ended = await self._etcd.call(KV + "DeleteRange", request, kv.DeleteRangeResponse)
        assert isinstance(ended.answer, kv.DeleteRangeResponse), ended
        gone = ended.answer.prev_kvs
        return Call("delete", 0, found=gone[0].value.decode() if gone else None)

    async def _cas(self, key: bytes, last: str) -> Call:
        value = str(next(self._values))
        compare = kv.Compare(result=0, target=3, key=key, value=last.encode())
        put = kv.RequestOp(request_put=kv.PutRequest(key=key, value=value.encode()))
        request = kv.TxnRequest(compare=[compare], success=[put])
        ended = await self._etcd.call(KV + "Txn", request, kv.TxnResponse)
        assert isinstance(ended.answer, kv.TxnResponse), ended
        return Call("cas", 0, value=value, expected=last, succeeded=ended.answer.succeeded)


async def histories(folder: Path) -> dict[int, list[Call]]:
    """Let the clients call side by side."""
    rng = random.Random(int(os.environ.get("SEED", "1")))  # noqa: S311 - a seed repeats it
    shared = Shared()
    async with ours(folder) as url, asyncio.timeout(100):
        found: dict[int, list[Call]] = {}

        async def one(seed: int) -> None:
            async with etcd_client(url) as etcd:
                client = Client(etcd, random.Random(seed), shared)  # noqa: S311 - as above
                for n in range(CALLS // CLIENTS):
                    # All clients move over the keys together, so that their calls meet.
                    await client.call(n * KEYS // (CALLS // CLIENTS))
                for number, calls in client.history.items():
                    found.setdefault(number, []).extend(calls)

        await asyncio.gather(*(one(rng.getrandbits(32)) for _ in range(CLIENTS)))
    return found


async def test_calls_side_by_side_have_an_order(tmp_path: Path) -> None:
    found = await histories(tmp_path)
    assert sum(map(len, found.values())) >= CALLS - CLIENTS
    for number, calls in found.items():
        assert linearizable(calls), f"key {number}"
    met = sum(a.ended > b.began for calls in found.values() for a, b in _neighbours(calls))
    assert met > CALLS // 10, "the calls ran one after the other"
    assert sum(call.succeeded for calls in found.values() for call in calls) > CALLS // 400
    # One answer changed to what was true a while ago: there is no order any more.
    seen_through = 0
    for calls in found.values():
        tampered = _tampered(calls)
        seen_through += tampered is not None and not linearizable(tampered)
    assert seen_through > KEYS // 2


def _neighbours(calls: list[Call]) -> list[tuple[Call, Call]]:
    ordered = sorted(calls, key=lambda call: call.began)
    return list(pairwise(ordered))


def _tampered(calls: list[Call]) -> list[Call] | None:
    """The last read of a value says what an early one said."""
    reads = [call for call in sorted(calls, key=lambda call: call.began) if call.op == "get"]
    old, new = next((r for r in reads if r.found), None), reads[-1]
    if old is None or old.found == new.found:
        return None
    return [replace(call, found=old.found) if call is new else call for call in calls]


def test_the_checker_knows_right_from_wrong() -> None:
    put_a = Call("put", 0, 1, value="a")
    put_b = Call("put", 2, 5, value="b")
    assert linearizable([put_a, Call("get", 1.5, 1.7, found="a")])
    assert not linearizable([put_a, Call("get", 1.5, 1.7, found=None)]), "a stale read"
    assert linearizable([put_a, put_b, Call("get", 3, 4, found="a")])
    assert linearizable([put_a, put_b, Call("get", 3, 4, found="b")])
    backwards = [Call("get", 2.5, 3, found="b"), Call("get", 3.5, 4, found="a")]
    assert not linearizable([put_a, put_b, *backwards]), "new, then old"
    both_won = [
        Call("cas", 2, 4, expected="a", value="x", succeeded=True),
        Call("cas", 3, 5, expected="a", value="y", succeeded=True),
    ]
    assert not linearizable([put_a, *both_won])
    lost = Call("put", 2, value="c")  # its end is not known
    assert linearizable([put_a, lost, Call("get", 6, 7, found="a")])
    assert linearizable([put_a, lost, Call("get", 6, 7, found="c")])
    assert not linearizable([put_a, Call("delete", 2, 3, found="z")])
    assert linearizable([put_a, Call("delete", 2, 3, found="a"), Call("get", 4, 5, found=None)])
