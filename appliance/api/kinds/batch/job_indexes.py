"""Lists of indexes as jobs write them: `0,3-5`. Pure; for validation and the job controller."""

from collections.abc import Iterable


class IndexesError(ValueError):
    """The text is no list of indexes in ascending order; the message says where."""


def read_indexes(text: str, completions: int) -> list[tuple[int, int]]:
    """Give the spans, both ends inclusive; those beyond the completions are left out.

    Raises:
        IndexesError: it makes no sense.
    """
    spans: list[tuple[int, int]] = []
    if not text:
        return spans
    last = -1
    for part in text.split(","):
        low, dash, high = part.partition("-")
        first = _number(low)
        end = _number(high) if dash else first
        if dash and end <= first:
            raise IndexesError(f'non-increasing order, previous: {first}, current: "{end}"')
        if first <= last:
            raise IndexesError(f'non-increasing order, previous: {last}, current: "{first}"')
        last = end
        if first < completions:
            spans.append((first, min(end, completions - 1)))
    return spans


def count_indexes(text: str, completions: int) -> int:
    """How many indexes a list has.

    Raises:
        IndexesError: it makes no sense, or names an index beyond the completions.
    """
    spans = read_indexes(text, 2**31)
    for _, end in spans:
        if end >= completions:
            raise IndexesError(f'too large index: "{end}"')
    return sum(end - first + 1 for first, end in spans)


def write_indexes(numbers: Iterable[int]) -> str:
    """Write indexes, in any order, as the shortest list."""
    spans: list[list[int]] = []
    for number in sorted(set(numbers)):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    parts = []
    for first, end in spans:
        if first == end:
            parts.append(str(first))
        else:
            parts.append(f"{first},{end}" if end == first + 1 else f"{first}-{end}")
    return ",".join(parts)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise IndexesError(f'cannot convert string to integer for index: "{text}"')
    return int(text)
