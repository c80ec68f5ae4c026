"""Kinds are documentation too: `kubectl explain` prints what stands in these files."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from appliance.api.fieldtypes import Shape, fields_of, inlined
from appliance.api.kind import Kind
from appliance.api.kinds.autoscaling.scale import Scale
from appliance.api.kinds.core.pod.kind import Binding
from appliance.api.kinds.policy.eviction import Eviction
from appliance.api.kinds.table import KINDS
from appliance.api.schema import Message


def reachable() -> list[type[Message]]:
    """Every struct that an object of some kind can hold."""
    found: dict[type[Message], None] = {}
    todo: list[type[Message]] = [*(k.type for k in KINDS), Scale, Eviction, Binding]
    while todo:
        struct = todo.pop()
        if struct in found:
            continue
        found[struct] = None
        todo += (base for base, _ in inlined(struct))
        todo += (s for f in fields_of(struct).values() for s in structs(f.shape))
    return sorted(found, key=lambda s: s.__name__)


def structs(shape: Shape) -> Iterator[type[Message]]:
    if shape.struct:
        yield shape.struct
    if shape.element:
        yield from structs(shape.element)


STRUCTS = reachable()


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.__name__)
def test_a_type_says_what_it_is(struct: type[Message]) -> None:
    doc = struct.__doc__ or ""
    assert doc.strip()
    assert "TODO" not in doc
    assert doc != Message.__doc__
    for name, field in fields_of(struct).items():
        assert field.facts.doc.strip(), f"{struct.__name__}.{name}: say what it is for"


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.__name__)
def test_no_two_fields_share_a_protobuf_number(struct: type[Message]) -> None:
    embedded = {f.name for base, _ in inlined(struct) for f in msgspec.structs.fields(base)}
    numbers = [n for _, n in inlined(struct)]
    numbers += [f.facts.number for f in fields_of(struct).values() if f.attribute not in embedded]
    # kind and apiVersion have number 0: in protobuf they stand in the envelope.
    assert [n for n, times in Counter(numbers).items() if times > 1 and n] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.kind)
def test_a_kind_can_be_listed(kind: Kind[Any]) -> None:
    assert kind.columns
    assert kind.cells
    assert len(kind.cells(kind.type(), 0.0)) == len(kind.columns)
