import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.api.json_fault import json_fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("nope", "invalid character 'o' in literal null (expecting 'u')"),
        ("{'a':1}", "invalid character '\\'' looking for beginning of object key string"),
        ("{x", "invalid character 'x' looking for beginning of object key string"),
        ("{}x", "invalid character 'x' after top-level value"),
        ("junk", "invalid character 'j' looking for beginning of value"),
        (b"\x8e\xe9", "invalid character '\\u008e' looking for beginning of value"),
        (b"\x00", "invalid character '\\x00' looking for beginning of value"),
        ("", "unexpected end of JSON input"),
        ('{"a"', "unexpected end of JSON input"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 "b"', "invalid character '\"' after object key:value pair"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ("[1 2]", "invalid character '2' after array element"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ('"a\nb"', "invalid character '\\n' in string literal"),
        ('"\\x"', "invalid character 'x' in string escape code"),
        ('"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"),
        ("-x", "invalid character 'x' in numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1ex", "invalid character 'x' in exponent of numeric literal"),
        ("01", "invalid character '1' after top-level value"),
    ],
)
def test_the_first_fault_is_named(text: str | bytes, fault: str) -> None:
    assert json_fault(text) == fault


def test_what_is_sound_has_no_fault() -> None:
    assert json_fault(' {"a": [1, -2.5e3, true, null, {}, [], "\\u00e9\\n"], "b": {}} ') == ""


@given(st.text(alphabet='{}[]",:\\ntruefalsn0123456789.-eE ', max_size=30))
def test_it_agrees_with_a_decoder_on_what_is_sound(text: str) -> None:
    try:
        json.loads(text, parse_constant=_refuse)
        sound = True
    except ValueError:
        sound = False
    assert (json_fault(text) == "") == sound


def _refuse(name: str) -> None:
    raise ValueError(name)
