"""How endpoints are cut into slices: full ones, and as few changes as can be."""

from appliance.api.kinds.discovery.endpointslice import Endpoint, EndpointSlice
from appliance.api.meta import ObjectMeta
from appliance.control.controllers.slices import SLICE_MAX, endpoint_ports, plan

PORTS = (("http", "TCP", 80, None),)


def test_one_more_pod_changes_one_slice() -> None:
    full = slice_("full", range(SLICE_MAX))
    half = slice_("half", range(SLICE_MAX, SLICE_MAX + 10))
    todo = plan([full, half], {PORTS: endpoints(range(SLICE_MAX + 11))})
    assert [(s.metadata.name, len(e)) for s, e in todo.change] == [("half", 11)]
    assert (todo.create, todo.delete) == ([], [])


def test_many_pods_make_many_slices() -> None:
    todo = plan([], {PORTS: endpoints(range(250))})
    assert [len(e) for _, e in todo.create] == [100, 100, 50]


def test_nothing_to_do_is_nothing() -> None:
    todo = plan([slice_("a", range(3))], {PORTS: endpoints(reversed(range(3)))})
    assert (todo.create, todo.change, todo.delete) == ([], [], [])


def test_an_emptied_slice_goes_while_another_is_left() -> None:
    todo = plan([slice_("a", range(3)), slice_("b", [7])], {PORTS: endpoints(range(3))})
    assert [s.metadata.name for s in todo.delete] == ["b"]


def test_without_endpoints_one_empty_slice_is_left() -> None:
    todo = plan([slice_("a", [1])], {})
    assert [s.metadata.name for s in todo.delete] == ["a"]
    assert todo.create == [((), [])]
    again = plan([slice_("empty", [], ports=())], {})
    assert (again.create, again.change, again.delete) == ([], [], [])


def endpoints(numbers: "range | reversed[int] | list[int]") -> list[Endpoint]:
    return [Endpoint(addresses=[f"10.42.{n // 250}.{n % 250}"]) for n in numbers]


def slice_(
    name: str,
    numbers: "range | list[int]",
    ports: tuple[tuple[str, str, int, None], ...] = PORTS,
) -> EndpointSlice:
    meta = ObjectMeta(name=name, uid=name)
    return EndpointSlice(metadata=meta, ports=endpoint_ports(ports), endpoints=endpoints(numbers))
