"""SqlStore against the model: any mix of requests, crashes and restarts, the same answers."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import rule

from appliance.store.sql.store import SqlStore
from tests.model.machine import OPTIONS, Together


class StoreMachine(Together):
    """With crashes."""

    store: SqlStore

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.generation = 0
        self.store = self.run(self.open())

    @property
    def path(self) -> Path:
        return self.directory / f"{self.generation}" / "state.db"

    async def open(self) -> SqlStore:
        return await SqlStore.open(self.path, OPTIONS, self.clock)

    @rule()
    def restart(self) -> None:
        self.run(self.store.close())
        self.store = self.run(self.open())

    @rule()
    def crash(self) -> None:
        """Go on with what is on disk at this moment, as after a power cut."""
        before, self.generation = self.path, self.generation + 1
        self.path.parent.mkdir()
        for file in before.parent.glob("state.db*"):
            if not file.name.endswith(("-shm", ".lock")):
                shutil.copy(file, self.path.parent)
        abandoned, self.store = self.store, self.run(self.open())
        self.run(abandoned.close())

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.directory)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    # Shrinking takes minutes where the failing steps can be read as they are.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
