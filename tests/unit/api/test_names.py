"""Names: good ones pass, bad ones get upstream's sentence."""

from collections.abc import Callable

import pytest

from appliance.api import names

Check = Callable[[str], list[str]]


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (names.dns_label, ["a", "a-1", "1a", "a" * 63], ["", "A", "-a", "a.b", "a" * 64]),
        (names.dns_subdomain, ["a.b", "a-b.c"], ["a..b", ".a", "a_b", "a." * 127 + "aa"]),
        (names.dns_1035_label, ["a1"], ["1a", "a.b"]),
        (
            names.qualified_name,
            ["a", "A.b_c", "x.io/a"],
            ["", "/a", "x/", "a/b/c", "X/a", "k" * 64],
        ),
        (names.label_value, ["", "a", "A.b-c_d"], ["-a", "a/b", "a" * 64]),
        (names.env_var_name, ["A", "a.b-c"], ["1a", "..", "..a", "a b"]),
        (names.relaxed_env_var_name, ["1 a", "A"], ["", "a=b", "ä"]),
        (names.config_key, ["a.b", "A_"], ["", "a/b", "..", "..x"]),
        (names.port_name, ["http", "a-1"], ["", "80", "a--b", "-a", "a" * 16, "A"]),
        (names.c_identifier, ["_a1"], ["1", "a-b"]),
        (names.path_segment, ["A:b"], ["a/b", "a%", ".", ".."]),
        (names.percent, ["5%"], ["5", "%"]),
        (names.dns_wildcard, ["*.a.b"], ["a.b", "*"]),
    ],
)
@pytest.mark.seed("B02")
def test_syntax(check: Check, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if check(text)] == []
    assert [text for text in bad if not check(text)] == []


def test_the_sentence_is_upstreams() -> None:
    assert names.dns_label("A") == [
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and"
        " must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex"
        " used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    ]
    assert names.dns_subdomain("a" * 254) == ["must be no more than 253 characters"]
    assert names.qualified_name("k" * 64) == ["name part must be no more than 63 bytes"]
