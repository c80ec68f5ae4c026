"""Which request goes where."""

from typing import Any

import msgspec

from appliance.api.kinds.core.service import Service
from appliance.api.kinds.networking.ingress import Ingress
from appliance.control.ingress.haproxy import Entry, config_of, quoted
from appliance.control.ingress.routes import Table, table_of

ENTRY = Entry(address="*", http_port=80, https_port=443, certificates="/c")


def service(_namespace: str, name: str) -> Service | None:
    if name == "absent":
        return None
    address = "None" if name == "headless" else "10.43.0.5"
    ports = [{"name": "http", "port": 80}, {"name": "admin", "port": 9000}]
    return msgspec.convert({"spec": {"clusterIP": address, "ports": ports}}, Service)


def to(name: str, port: int | str = 80) -> dict[str, Any]:
    wanted = {"name": port} if isinstance(port, str) else {"number": port}
    return {"service": {"name": name, "port": wanted}}


def ingress(
    *rules: tuple[str, str, str, dict[str, Any]], name: str = "i", age: int = 0, **spec: Any
) -> Ingress:
    listed = [
        {
            "host": host,
            "http": {"paths": [{"path": path, "pathType": kind, "backend": backend}]},
        }
        for host, path, kind, backend in rules
    ]
    meta = {
        "name": name,
        "namespace": "default",
        "creationTimestamp": f"2026-01-01T00:00:{age:02d}Z",
    }
    return msgspec.convert({"metadata": meta, "spec": {"rules": listed, **spec}}, Ingress)


def shown(table: Table) -> list[tuple[str, str, bool, str]]:
    return [(r.host, r.path, r.exact, r.target.name) for r in table.routes]


def test_exact_hosts_and_longer_paths_come_first() -> None:
    table = table_of(
        [
            ingress(
                ("", "/", "Prefix", to("all")),
                ("*.b.c", "/", "Prefix", to("wild")),
                ("a.b.c", "/", "Prefix", to("root")),
                ("A.b.c", "/x/y/", "Prefix", to("deep")),
                ("a.b.c", "/x", "Exact", to("exact", "admin")),
            )
        ],
        service,
    )
    assert shown(table) == [
        ("a.b.c", "/x", True, "default_exact_9000"),
        ("a.b.c", "/x/y", False, "default_deep_80"),
        ("a.b.c", "/", False, "default_root_80"),
        ("*.b.c", "/", False, "default_wild_80"),
        ("", "/", False, "default_all_80"),
    ]
    assert table.faults == []


def test_the_older_ingress_wins() -> None:
    new = ingress(("a", "/", "Prefix", to("new")), name="a", age=5)
    old = ingress(("a", "/", "Prefix", to("old")), name="z", age=1)
    assert shown(table_of([new, old], service)) == [("a", "/", False, "default_old_80")]


def test_a_default_backend_takes_what_is_left_of_its_hosts() -> None:
    alone = ingress(defaultBackend=to("rest"))
    assert shown(table_of([alone], service)) == [("", "/", False, "default_rest_80")]
    beside = ingress(("a", "/x", "Prefix", to("x")), defaultBackend=to("rest"))
    assert shown(table_of([beside], service)) == [
        ("a", "/x", False, "default_x_80"),
        ("a", "/", False, "default_rest_80"),
    ]


def test_what_cannot_be_served_is_told_and_the_rest_is_served() -> None:
    table = table_of(
        [
            ingress(
                ("a", "/1", "Prefix", to("absent")),
                ("a", "/2", "Prefix", to("headless")),
                ("a", "/3", "Prefix", to("web", 81)),
                ("a", "/4\n", "Prefix", to("web")),
                ("a", "/5", "Prefix", {"resource": {"kind": "B", "name": "b"}}),
                ("a", "/6", "Prefix", to("web")),
            )
        ],
        service,
    )
    assert shown(table) == [("a", "/6", False, "default_web_80")]
    assert {fault.ingress for fault in table.faults} == {"default/i"}
    assert [fault.message for fault in table.faults] == [
        'there is no service "absent"',
        'service "headless" has no cluster address: only such can be served',
        'service "web" has no port 81',
        "path '/4\\n' holds control characters",
        "backends that are no services are not served",
    ]


def test_certificates_are_for_the_hosts_of_all_who_name_them() -> None:
    tls = [{"hosts": ["A.b"], "secretName": "s"}, {"hosts": ["c.d"], "secretName": "s"}]
    table = table_of([ingress(("a.b", "/", "Prefix", to("web")), tls=tls)], service)
    assert table.hosts_of == {"default/s": {"a.b", "c.d"}}


def test_what_users_write_cannot_leave_its_quotes() -> None:
    path = "/it's } or { always_true"
    table = table_of([ingress(("a", path, "Exact", to("web")))], service)
    text = config_of(table.routes, ENTRY)
    (line,) = [one for one in text.splitlines() if "default_web_80 if" in one]
    assert line.endswith("{ path -m str '/it'\\''s } or { always_true' }")
    assert quoted("a'b") == "'a'\\''b'"
