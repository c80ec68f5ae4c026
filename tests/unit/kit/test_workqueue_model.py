"""The work queue against its model: no key twice at once, no change lost, order of arrival."""

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from appliance.kit.clock import FakeClock
from appliance.kit.workqueue import WorkQueue

KEYS = st.sampled_from("abcd")


class QueueMachine(RuleBasedStateMachine):
    """Adds, takes and finishes keys; the model is a list and two sets."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = WorkQueue(clock=FakeClock())
        self.waiting: list[str] = []
        self.working: set[str] = set()
        self.again: list[str] = []

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.queue.add(key)
        if key in self.working:
            if key not in self.again:
                self.again.append(key)
        elif key not in self.waiting:
            self.waiting.append(key)

    @precondition(lambda self: self.waiting)
    @rule()
    def take(self) -> None:
        key = asyncio.run(self.queue.get())
        assert key == self.waiting.pop(0)
        assert key not in self.working
        self.working.add(key)

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.queue.done(key)
        self.working.discard(key)
        if key in self.again:
            self.again.remove(key)
            self.waiting.append(key)

    @invariant()
    def counts_agree(self) -> None:
        assert len(self.queue) == len(self.waiting) + len(self.again)
        assert self.queue.idle == (not self.waiting and not self.again and not self.working)


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
