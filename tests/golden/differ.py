"""Where a recorded answer and ours differ, as paths; a scenario's differences step by step."""

import fnmatch
import json
import re

from tests.golden.normalise import Normaliser
from tests.golden.replay import run_case

ABSENT = "(absent)"
NAMED = ("resources", "groups", "subresources", "versions", "items")


def item_name(item):
    if not isinstance(item, dict):
        return None
    if isinstance(item.get("metadata"), dict) and set(item) <= {"metadata", "versions"}:
        return item["metadata"].get("name")
    for field in ("resource", "subresource"):
        if isinstance(item.get(field), str) and ("responseKind" in item or "verbs" in item):
            return item[field]
    if ("verbs" in item and "kind" in item) or "preferredVersion" in item:
        return item.get("name")
    return None


def differences(expected, actual, path="$"):
    """Yield (path, expected, actual) for each leaf that is not the same."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in list(expected) + [k for k in actual if k not in expected]:
            step = f"{path}.{key}" if re.fullmatch(r"[\w-]+", key) else f"{path}[{json.dumps(key)}]"
            if key not in actual:
                yield step, expected[key], ABSENT
            elif key not in expected:
                yield step, ABSENT, actual[key]
            else:
                yield from differences(expected[key], actual[key], step)
    elif isinstance(expected, list) and isinstance(actual, list):
        names, others = [item_name(i) for i in expected], [item_name(i) for i in actual]
        if (
            names
            and others
            and all(names)
            and all(others)
            and len(set(names)) == len(names)
            and len(set(others)) == len(others)
        ):
            yield from differences(
                dict(zip(names, expected, strict=True)),
                dict(zip(others, actual, strict=True)),
                path,
            )
            return
        for index in range(max(len(expected), len(actual))):
            step = f"{path}[{index}]"
            if index >= len(actual):
                yield step, expected[index], ABSENT
            elif index >= len(expected):
                yield step, ABSENT, actual[index]
            else:
                yield from differences(expected[index], actual[index], step)
    elif type(expected) is not type(actual) or expected != actual:
        yield path, expected, actual


def short(value, limit=160):
    text = value if value == ABSENT else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= limit else text[:limit] + "…"


def compare_case(server, case):
    """Returns, per step, the list of differences."""
    namespace, answers = run_case(server, case)
    actual = Normaliser(case, namespace, answers).run()
    result = []
    for step, answer in zip(case["steps"], actual, strict=True):
        ignore = step.get("ignore", [])
        found = [
            d
            for d in differences(step["response"], answer)
            if not any(fnmatch.fnmatchcase(d[0], i) for i in ignore)
        ]
        result.append(found)
    return result
