"""Several questions, one look: lists that are asked for at the same time share a request.

Every pod worker asks for its own pod's containers whenever something happened. An engine reads
all its containers for each such question, so twenty pods that start together would make it read
everything twenty times over. While one look is under way further questions gather, and the next
look answers all of them; each answer comes from a look that began after its question, and a lone
question is asked at once.

Both drivers use it. Nothing is kept between looks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from appliance.node.runtimes.base import Container, NotThere

Marks = Mapping[str, str]
Summary = Mapping[str, Any]


@dataclass(slots=True, eq=False)
class _Question:
    marks: Marks
    answer: list[Summary] | None = field(default=None)


class SharedLooks:
    """`look(marks)` gives the engine's list entries, each with `Labels`, that carry the marks."""

    def __init__(self, look: Callable[[Marks], Awaitable[Sequence[Summary]]]) -> None:
        self._look = look
        self._open: list[_Question] = []
        self._looking = asyncio.Lock()

    async def ask(self, marks: Marks) -> list[Summary]:
        """The entries that carry these marks."""
        mine = _Question(dict(marks))
        self._open.append(mine)
        async with self._looking:
            if mine.answer is None:
                await self._answer_all(mine)
        return mine.answer or []

    async def _answer_all(self, mine: _Question) -> None:
        asked, self._open = self._open, []
        try:
            found = await self._look(common(question.marks for question in asked))
        except BaseException:
            # Whoever else asked asks again: the error may be ours alone (a cancelled task).
            self._open = [question for question in asked if question is not mine] + self._open
            raise
        for question in asked:
            question.answer = [f for f in found if carries(f, question.marks)]


async def everyone(looks: Iterable[Awaitable[Container]]) -> list[Container]:
    """Look at each at once; who went since the list was made is left out."""
    answers = await asyncio.gather(*looks, return_exceptions=True)
    containers = []
    for answer in answers:
        if isinstance(answer, Container):
            containers.append(answer)
        elif not isinstance(answer, NotThere):
            raise answer
    return containers


def common(asked: Iterable[Marks]) -> dict[str, str]:
    """The marks that all have.

    >>> common([{"cluster": "a", "pod": "1"}, {"cluster": "a", "pod": "2"}])
    {'cluster': 'a'}
    """
    first, *others = asked
    return {k: v for k, v in first.items() if all(o.get(k) == v for o in others)}


def carries(summary: Summary, marks: Marks) -> bool:
    """Whether a list entry has all these labels."""
    labels: Marks = summary.get("Labels") or {}
    return all(labels.get(name) == value for name, value in marks.items())
