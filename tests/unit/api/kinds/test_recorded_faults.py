"""Objects that a real API server refused, and each fault that it named.

`recorded_faults.json` holds bodies of POST requests and the causes of the 422 answers, sorted.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from appliance.api import codec
from appliance.api.kinds.table import by_kind
from appliance.api.validate_meta import validate_meta

CASES = json.loads((Path(__file__).parent / "recorded_faults.json").read_text())
REPEAT = re.compile(r"\{\{repeat:(.):(\d+)\}\}")


@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
def test_it_is_refused_in_the_same_words(case: dict[str, Any]) -> None:
    body = grown(case["body"])
    kind = by_kind(body["apiVersion"], body["kind"])
    assert kind
    obj, _ = codec.decode(kind.type, body)
    meta = obj.metadata
    if kind.namespaced:
        meta.namespace = meta.namespace or "ns"
    if meta.generateName and not meta.name:
        meta.name = f"{meta.generateName}bcdfg"
    kind.set_defaults(obj)
    kind.prepare_create(obj)
    found = [*validate_meta(obj, kind), *kind.validate(obj)]
    assert sorted([c.field, c.reason, c.message] for c in found) == grown(case["causes"])


def grown(value: Any) -> Any:
    """Put in the long strings that the recording abbreviates."""
    if isinstance(value, str):
        return REPEAT.sub(lambda m: m[1] * int(m[2]), value)
    if isinstance(value, dict):
        return {grown(k): grown(v) for k, v in value.items()}
    return [grown(v) for v in value] if isinstance(value, list) else value
