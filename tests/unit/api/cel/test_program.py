"""The expression language: what expressions give, and what is said of those that cannot be."""

from typing import Any

import pytest

from appliance.api.cel.program import compile_expression
from appliance.api.cel.syntax import CelSyntaxError
from appliance.api.cel.values import CelError, OutOfBudget

SELF: dict[str, Any] = {
    "a": 1,
    "l": ["x", "yy"],
    "m": {"k": 2.5},
    "s": "abc",
    "n": None,
    "o": {"p": {"q": True}},
}


def work_out(text: str) -> Any:
    return compile_expression(text, {"self"}).evaluate({"self": SELF})


@pytest.mark.parametrize(
    "text",
    [
        "1 + 2 * 3 == 7 && (1 + 2) * 3 == 9",
        "7 / 2 == 3 && -7 / 2 == -3 && -7 % 2 == -1 && 7.0 / 2.0 == 3.5",
        "1u + 2u == 3u && type(1u) == type(uint('3'))",
        "1 == 1.0 && 1 < 1.5 && !(1 == '1')",
        "0x10 == 16 && 1e3 == 1000.0 && r'\\n' == '\\\\n' && '''a'b''' == \"a'b\"",
        "'x' in self.l && 'k' in self.m && !('z' in self.m)",
        "self.o.p.q && self['o']['p']['q']",
        "has(self.a) && !has(self.b) && has(self.o.p) && !has(self.o.z)",
        "self.n == null && has(self.n)",
        "true ? self.a == 1 : self.b",
        "self.b == 1 || true",
        "true || self.b == 1",
        "!(self.b == 1 && false)",
        "self.l.all(x, size(x) > 0) && self.l.exists(x, x == 'yy')",
        "self.l.exists_one(x, x == 'x') && self.m.all(k, k == 'k')",
        "self.l.map(x, x + '!') == ['x!', 'yy!'] && self.l.map(x, x != 'x', x) == ['yy']",
        "self.l.filter(x, x != 'x') == ['yy'] && self.l.all(i, x, i < 2 && x != '')",
        "self.l.transformMap(i, x, i) == {0: 0, 1: 1}",
        "[3, 1, 2].sort() == [1, 2, 3] && [1, 2].isSorted() && [1, 2].sum() == 3",
        "[1, 2].max() == 2 && [1, 2].min() == 1 && [1, 2, 1].lastIndexOf(1) == 2",
        "[1, 2, 3].slice(1, 3) == [2, 3] && [[1], [2]].flatten() == [1, 2]",
        "[1, 1].distinct() == [1] && ['a', 'b'].join('-') == 'a-b'",
        "sets.contains([1, 2], [1]) && sets.equivalent([1, 2], [2, 1, 1])",
        "'abc'.startsWith('ab') && 'abc'.endsWith('c') && 'abc'.contains('b')",
        "'abc'.matches('^a.c$') && 'a1b2'.findAll('[0-9]') == ['1', '2']",
        "'abc'.substring(1) == 'bc' && 'abc'.charAt(0) == 'a' && 'abcb'.indexOf('b', 2) == 3",
        "'A'.lowerAscii() == 'a' && ' a '.trim() == 'a' && 'a,b'.split(',') == ['a', 'b']",
        "'aa'.replace('a', 'b', 1) == 'ba' && 'ab'.reverse() == 'ba'",
        "'%s is %d, %.2f, %x'.format(['a', 3, 1.5, 255]) == 'a is 3, 1.50, ff'",
        "int('12') + 1 == 13 && string(1.5) == '1.5' && double('2') == 2.0",
        "string(true) == 'true' && string(duration('1m')) == '60s' && bool('true')",
        "duration('1h30m').getMinutes() == 90 && duration('90m') == duration('1h30m')",
        "timestamp('2024-02-29T10:00:00Z').getFullYear() == 2024",
        "timestamp('2024-01-01T00:00:00Z') + duration('24h') == timestamp('2024-01-02T00:00:00Z')",
        "timestamp('2024-01-01T23:00:00Z').getHours('+02:00') == 1",
        "quantity('1Gi').isGreaterThan(quantity('500Mi')) && quantity('1k').asInteger() == 1000",
        "quantity('50m').add(quantity('50m')).compareTo(quantity('100m')) == 0",
        "isQuantity('1Gi') && !isQuantity('1x')",
        "url('https://a.b:80/p?x=1').getHost() == 'a.b:80' && !isURL('::')",
        "url('https://a.b/p?x=1').getQuery()['x'] == ['1']",
        "ip('10.0.0.1').family() == 4 && isIP('::1') && ip.isCanonical('10.0.0.1')",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').prefixLength() == 8",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !isCIDR('10.0.0.0')",
        "self.?b.orValue('z') == 'z' && self.?a.hasValue() && self[?'a'].value() == 1",
        "optional.of(3).optMap(x, x * 2).value() == 6 && !optional.none().hasValue()",
        "[1, ?self.?b] == [1] && {?'k': self.?a} == {'k': 1}",
        "type(self.a) == int && type('a') == string && type([]) == list",
        "b'ab' == bytes('ab')",
    ],
)  # fmt: skip
def test_these_hold(text: str) -> None:
    assert work_out(text) is True


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 / 0 == 1", "division by zero"),
        ("9223372036854775807 + 1 == 0", "integer overflow"),
        ("self.b == 1", "no such key: b"),
        ("self.l[5] == 'x'", "index out of bounds: 5"),
        ("self.n.x == 1", "no such key: x"),
        ("1 + 'a' == 'b'", "no such overload"),
        ("'a' < 1", "no such overload"),
        ("self.s && true", "no such overload"),
        ("'a'.matches('[')", "error parsing regexp"),
        ("int('x') == 1", "type conversion error"),
        ("[].min() == 1", "min called on empty list"),
        ("self.s.contains(1)", "no such overload"),
        ("'a'.startsWith('a', 'b')", "no such overload"),
        ("timestamp('yesterday').getHours() == 1", "invalid timestamp"),
    ],
)
def test_these_cannot_be_worked_out(text: str, why: str) -> None:
    with pytest.raises(CelError, match=why):
        work_out(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("self.a +", r"ERROR: <input>:1:9: Syntax error: unexpected '<EOF>'\n \| self.a \+"),
        ("other > 1", r"undeclared reference to 'other' \(in container ''\)"),
        ("self.a.frob()", "undeclared reference to 'frob'"),
        ("frob(self)", "undeclared reference to 'frob'"),
        ("self.zzz == 1", "undefined field 'zzz'"),
        ("self.a = 1", "token recognition error at: '='"),
        ("self.all(1, true)", "must be a simple name"),
        ("has(self)", "invalid argument to has"),
        ("[1, 2", "unexpected"),
        ("if == 1", "reserved identifier: if"),
        ("(" * 200 + "1" + ")" * 200, "recursion limit"),
        ("1" + " + 1" * 3000 + " > 0", "recursion limit"),
    ],
)
def test_these_are_no_expressions(text: str, why: str) -> None:
    schemas = {"self": {"properties": {"a": {}}}}
    with pytest.raises(CelSyntaxError, match=why):
        compile_expression(text, {"self"}, schemas)


def test_work_has_an_end() -> None:
    variables = {"self": list(range(400))}
    square = "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))"
    with pytest.raises(OutOfBudget):
        compile_expression(square, {"self"}).evaluate(variables)


def test_a_text_does_not_grow_without_end() -> None:
    text = "self.map(a, self.map(b, self.map(c, 'x'))).size() > 0"
    with pytest.raises(OutOfBudget):
        compile_expression(text, {"self"}).evaluate({"self": list(range(100))})
