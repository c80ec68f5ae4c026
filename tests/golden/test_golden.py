"""Our answers to recorded requests are those of a real kube-apiserver, word for word.

Differences that are meant, or cannot be helped, stand with their reasons in `known.txt`.
`make golden` prints every difference; `ONLY='pods-*'` chooses scenarios.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.golden.differ import compare_case, short
from tests.golden.recordings import is_known, known, load
from tests.golden.server import api_server

_AT_ONCE = 16
"""Most scenarios wait now and then: for a watch to end, or for a definition to be served."""
ONLY = os.environ.get("ONLY", "*")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_answers_are_those_of_the_recorded_server(tmp_path: Path) -> None:
    cases = [case for case in load() if fnmatchcase(case["name"], ONLY)]
    # the longest first, so that nothing is waited for at the end
    cases.sort(key=lambda case: "serial" not in case["tags"])
    with api_server(tmp_path) as server, ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda case: compare_case(server, case), cases))
    differing, lines = {}, []
    for case, steps in zip(cases, found, strict=True):
        for number, (step, differences) in enumerate(zip(case["steps"], steps, strict=True)):
            if differences:
                name = f"{case['name']}[{number}]"
                request = step["request"]
                differing[name] = is_known(name)
                lines += [
                    f"{'known' if differing[name] else 'NEW'} {name} {request['method']}"
                    f" {request['path']}: {path}: expected {short(want)} got {short(got)}"
                    for path, want, got in differences
                ]
    total = sum(len(case["steps"]) for case in cases)
    print(*lines, f"{total} steps, {total - len(differing)} equal", sep="\n")
    assert [line for line in lines if line.startswith("NEW")] == []
    if ONLY == "*":
        stale = [glob for glob in known() if not any(fnmatchcase(d, glob) for d in differing)]
        assert stale == [], "these do not differ any longer: take them out of known.txt"
