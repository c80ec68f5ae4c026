"""Questions that are asked at the same time share a look."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from appliance.node.runtimes.base import Unreachable
from appliance.node.runtimes.listing import SharedLooks, common


class Engine:
    """Twenty containers; a look takes until `let_go`."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, str]] = []
        self.gate = asyncio.Event()
        self.fault: Exception | None = None

    async def look(self, marks: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        self.asked.append(marks)
        await self.gate.wait()
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        return [{"Id": n, "Labels": {"cluster": "a", "pod": str(n)}} for n in range(20)]


@pytest.fixture
def engine() -> Engine:
    return Engine()


def of(pod: int) -> dict[str, str]:
    return {"cluster": "a", "pod": str(pod)}


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_questions_that_gather_during_a_look_are_answered_by_the_next(
    engine: Engine,
) -> None:
    looks = SharedLooks(engine.look)
    first = asyncio.ensure_future(looks.ask(of(0)))
    await settle()
    others = [asyncio.ensure_future(looks.ask(of(n))) for n in range(1, 20)]
    await settle()
    engine.gate.set()

    answers = await asyncio.gather(first, *others)
    assert [[found["Id"] for found in answer] for answer in answers] == [[n] for n in range(20)]
    assert engine.asked == [of(0), {"cluster": "a"}]


async def test_a_question_is_never_answered_by_a_look_that_began_before_it(
    engine: Engine,
) -> None:
    looks = SharedLooks(engine.look)
    early = asyncio.ensure_future(looks.ask(of(1)))
    await settle()
    late = asyncio.ensure_future(looks.ask(of(1)))
    await settle()
    engine.gate.set()
    await asyncio.gather(early, late)
    assert len(engine.asked) == 2


async def test_a_cancelled_asker_leaves_the_others_their_answer(engine: Engine) -> None:
    looks = SharedLooks(engine.look)
    first = asyncio.ensure_future(looks.ask(of(0)))
    await settle()
    second, third = (asyncio.ensure_future(looks.ask(of(n))) for n in (1, 2))
    await settle()
    first.cancel()
    await settle()
    second.cancel()
    await settle()
    engine.gate.set()
    assert [found["Id"] for found in await third] == [2]


async def test_an_error_is_told_to_one_and_the_others_look_again(engine: Engine) -> None:
    engine.fault = Unreachable("gone")
    engine.gate.set()
    looks = SharedLooks(engine.look)
    answers = await asyncio.gather(
        looks.ask(of(0)), looks.ask(of(1)), looks.ask(of(2)), return_exceptions=True
    )
    assert isinstance(answers[0], Unreachable)
    assert [[f["Id"] for f in a] for a in answers[1:]] == [[1], [2]]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("asked", "shared"),
    [
        ([of(1)], of(1)),
        ([of(1), of(1)], of(1)),
        ([of(1), of(2)], {"cluster": "a"}),
        ([of(1), {"cluster": "b", "pod": "1"}], {"pod": "1"}),
        ([of(1), {}], {}),
    ],
)
def test_what_questions_have_in_common(asked: list[dict[str, str]], shared: dict[str, str]) -> None:
    assert common(asked) == shared
