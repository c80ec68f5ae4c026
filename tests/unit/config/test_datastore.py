from pathlib import Path

import pytest

from appliance.config.datastore import EtcdUrls, PostgresUrl, SqliteFile, parse_endpoint
from appliance.config.schema import Config


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", SqliteFile()),
        ("sqlite:///srv/other.db", SqliteFile(Path("/srv/other.db"))),
        ("postgres://u@h/db", PostgresUrl("postgresql+psycopg://u@h/db")),
        ("postgresql+psycopg://u:p@h:1/db?a=b", PostgresUrl("postgresql+psycopg://u:p@h:1/db?a=b")),
        ("etcd://h", EtcdUrls((("h", 2379),), tls=False)),
        ("http://[::1]:23", EtcdUrls((("::1", 23),), tls=False)),
        ("https://a:1,https://b:2,c", EtcdUrls((("a", 1), ("b", 2), ("c", 2379)), tls=True)),
    ],
)
def test_endpoints(text: str, meaning: object) -> None:
    assert parse_endpoint(text) == meaning


@pytest.mark.parametrize(
    "text",
    [
        *("h:2379", "mysql://u@h/db", "postgres://u@h", "etcd://", "etcd://h:x"),
        *("https://a,http://b", "https://a/path", "http://u:p@a"),
    ],
)
def test_others_are_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_endpoint(text)


def test_a_faulty_endpoint_is_shown_without_its_password() -> None:
    config = Config(role="server", datastore_endpoint="mysql://root:secret@host/db")
    (problem,) = config.faults()
    assert problem.key == "datastore-endpoint"
    assert "secret" not in problem.text()


def test_certificates_go_together() -> None:
    config = Config(role="server", datastore_endpoint="https://h", datastore_certfile="a.crt")
    assert [problem.key for problem in config.faults()] == ["datastore-certfile"]
    config = Config(role="server", datastore_endpoint="http://h", datastore_cafile="ca.crt")
    assert [problem.key for problem in config.faults()] == ["datastore-cafile"]
