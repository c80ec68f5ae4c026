"""PostgreSQL with two masters, and etcd, against the model: the same answers."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import rule, run_state_machine_as_test

from appliance.kit.clock import SystemClock
from appliance.store.base import Range, Store, Txn, TxnResult
from appliance.store.remote.store import EtcdStore
from appliance.store.sql.postgres.store import PostgresStore
from tests.contract.databases import EtcdMember, PostgresServer, postgres
from tests.model.machine import OPTIONS, Machine, Together

SETTINGS = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres() as server:
        yield server


class PostgresMachine(Together):
    """Two masters; whichever is asked answers as the model does."""

    server: PostgresServer
    store: PostgresStore

    def __init__(self) -> None:
        super().__init__()
        self.schema = f"s{uuid.uuid4().hex}"
        self.server.make_schema(self.schema)
        self.store = self.run(self.open())
        self.other = self.run(self.open())

    async def open(self) -> PostgresStore:
        return await PostgresStore.open(self.server.conninfo(self.schema), OPTIONS, SystemClock())

    @rule()
    def ask_the_other(self) -> None:
        self.store, self.other = self.other, self.store

    @rule()
    def restart(self) -> None:
        self.run(self.store.close())
        self.store = self.run(self.open())

    def teardown(self) -> None:
        self.run(self.other.close())
        super().teardown()


class EtcdMachine(Machine):
    """One after the other: etcd may turn around requests that are made at once."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.member = EtcdMember(self.directory / "etcd")
        self.member.start()
        self.store = self.run(EtcdStore.open(self.member.address, OPTIONS, SystemClock()))

    def asked(self, store: Store, request: Txn | Range) -> object:
        """etcd says no revision for a nested transaction."""
        answer = super().asked(store, request)
        return plain(answer) if isinstance(answer, TxnResult) else answer

    def teardown(self) -> None:
        super().teardown()
        self.member.kill()
        shutil.rmtree(self.directory)


def plain(answer: TxnResult) -> TxnResult:
    results = tuple(
        TxnResult(0, one.succeeded, plain(one).results) if isinstance(one, TxnResult) else one
        for one in answer.results
    )
    return TxnResult(answer.revision, answer.succeeded, results)


def test_postgres(server: PostgresServer) -> None:
    PostgresMachine.server = server
    run_state_machine_as_test(PostgresMachine, settings=SETTINGS)


def test_etcd() -> None:
    run_state_machine_as_test(EtcdMachine, settings=SETTINGS)
