from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from appliance.control.credentials import Credentials, Names

NOW = datetime(2026, 11, 24, tzinfo=UTC).timestamp()
NAMES = Names(node_name="pi-1", node_ip="192.0.2.7", api_names=("kubernetes", "10.43.0.1"))
YEAR_S = 365 * 24 * 3600


def _cert(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_everything_is_made_once_and_kept(tmp_path: Path) -> None:
    Credentials(tmp_path).ensure(NAMES, now=NOW)
    first = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    Credentials(tmp_path).ensure(NAMES, now=NOW)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == first
    assert len(first) == 23


def test_secrets_are_for_the_owner_only(tmp_path: Path) -> None:
    Credentials(tmp_path).ensure(NAMES, now=NOW)
    secret = [*tmp_path.rglob("*.key"), tmp_path / "server" / "token"]
    assert {p.stat().st_mode & 0o777 for p in secret} == {0o600}


def test_a_new_address_makes_a_new_serving_certificate_only(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path)
    credentials.ensure(NAMES, now=NOW)
    serving, admin = credentials.tls / "serving.crt", credentials.tls / "admin.crt"
    before = serving.read_bytes(), admin.read_bytes()
    moved = Names(node_name="pi-1", node_ip="192.0.2.7", api_names=("kubernetes", "192.0.2.8"))
    credentials.ensure(moved, now=NOW)
    assert serving.read_bytes() != before[0]
    assert admin.read_bytes() == before[1]


def test_a_certificate_near_its_end_is_renewed(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path)
    credentials.ensure(NAMES, now=NOW)
    credentials.ensure(NAMES, now=NOW + YEAR_S - 30 * 24 * 3600)
    end = _cert(credentials.tls / "admin.crt").not_valid_after_utc.timestamp()
    assert end > NOW + 1.5 * YEAR_S


def test_a_given_token_is_taken(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path)
    credentials.ensure(NAMES, now=NOW, token="swordfish")
    assert credentials.token() == "swordfish"
