import pytest

from appliance.node.images.names import DEFAULT_HOST, Reference, reference

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("web", Reference(DEFAULT_HOST, "library/web", "latest")),
        ("team/web:1.2", Reference(DEFAULT_HOST, "team/web", "1.2")),
        ("127.0.0.1:5000/web:1", Reference("127.0.0.1:5000", "web", "1")),
        ("localhost/web", Reference("localhost", "web", "latest")),
        (f"r.example/a/b_c/d--e:t@{DIGEST}", Reference("r.example", "a/b_c/d--e", "t", DIGEST)),
        (f"r.example/web@{DIGEST}", Reference("r.example", "web", "", DIGEST)),
    ],
)
def test_names_are_taken_apart(name: str, found: Reference) -> None:
    assert reference(name) == found


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Web",
        "web:",
        "web::1",
        "a//b",
        "r.example/",
        "-web",
        "web@sha256:12",
        "web:1 2",
        "a" * 0,
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="invalid reference format"):
        reference(name)


def test_the_reason_is_told_where_it_is_known() -> None:
    with pytest.raises(ValueError, match="must be lowercase"):
        reference("Team/Web:1")
    with pytest.raises(ValueError, match="64-byte hexadecimal"):
        reference("ab" * 32)


def test_the_same_elsewhere() -> None:
    assert reference("web").on("mirror:5000") == "mirror:5000/library/web:latest"
    assert reference(f"a/b@{DIGEST}").on("m", "c") == f"m/c@{DIGEST}"
