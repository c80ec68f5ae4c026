"""What is wrong with a text that is no JSON, in the words of Go's decoder.

Clients know these words from kube-apiserver: `invalid character 'x' after top-level value`.
Called where a body, a token or a value did not decode; never for text that is sound, so it may
be slow: one step per byte, bounded by the body limit. Source: Go `encoding/json/scanner.go`.
"""

from appliance.api.faults import quoted

END = "unexpected end of JSON input"
DEPTH = "exceeded max depth"
_SPACE = b" \t\r\n"
_DIGITS = b"0123456789"
_HEX = b"0123456789abcdefABCDEF"
_LITERALS = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}

_VALUE = "looking for beginning of value"
_KEY = "looking for beginning of object key string"


def json_fault(text: bytes | str) -> str:
    """Give the first fault; empty if the text is sound."""
    raw = text.encode() if isinstance(text, str) else text
    try:
        _Scanner(raw).run()
    except _Fault as fault:
        return str(fault)
    except RecursionError:
        return DEPTH
    return ""


class _Fault(Exception):
    pass


class _Scanner:
    """Walks over one value; `open` holds the brackets around the place it is at."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 0
        self.open: list[str] = []

    def run(self) -> None:
        self.value()
        while self.open:
            self.after_value()
        if self.skip_space() < len(self.raw):
            raise self.wrong("after top-level value")

    def wrong(self, where: str) -> _Fault:
        if self.at >= len(self.raw):
            return _Fault(END)
        return _Fault(f"invalid character {_shown(self.raw[self.at])} {where}")

    def skip_space(self) -> int:
        while self.at < len(self.raw) and self.raw[self.at] in _SPACE:
            self.at += 1
        return self.at

    def peek(self) -> int:
        """The byte here, or -1 at the end."""
        return self.raw[self.at] if self.at < len(self.raw) else -1

    def take(self, allowed: bytes) -> bool:
        if self.at < len(self.raw) and self.raw[self.at] in allowed:
            self.at += 1
            return True
        return False

    def need(self, allowed: bytes, where: str) -> None:
        if not self.take(allowed):
            raise self.wrong(where)

    def value(self) -> None:
        """Read up to the end of a plain value, or into a bracket up to its first value."""
        self.skip_space()
        first = self.peek()
        if first in _LITERALS:
            self.literal(_LITERALS[first])
        elif self.take(b'"'):
            self.string()
        elif self.take(b"{"):
            self.enter_object()
        elif self.take(b"["):
            self.enter_array()
        elif first >= 0 and first in b"-0123456789":
            self.number()
        else:
            raise self.wrong(_VALUE)

    def enter_object(self) -> None:
        self.skip_space()
        if self.take(b"}"):
            return
        self.open.append("{")
        self.key()

    def enter_array(self) -> None:
        self.skip_space()
        if self.take(b"]"):
            return
        self.open.append("[")
        self.value()

    def key(self) -> None:
        self.skip_space()
        self.need(b'"', _KEY)
        self.string()
        self.skip_space()
        self.need(b":", "after object key")
        self.value()

    def after_value(self) -> None:
        """Go on to the next value of the innermost bracket, or out of it."""
        self.skip_space()
        inside = self.open[-1]
        if self.take(b"}" if inside == "{" else b"]"):
            self.open.pop()
        elif inside == "{":
            self.need(b",", "after object key:value pair")
            self.key()
        else:
            self.need(b",", "after array element")
            self.value()

    def literal(self, word: bytes) -> None:
        for index, byte in enumerate(word):
            letter = chr(byte)
            where = f"in literal {word.decode()} (expecting '{letter}')"
            if index:
                self.need(bytes([byte]), where)
            else:
                self.at += 1

    def string(self) -> None:
        while not self.take(b'"'):
            if self.take(b"\\"):
                self.escape()
            elif self.peek() < 0x20:
                raise self.wrong("in string literal")
            else:
                self.at += 1

    def escape(self) -> None:
        if self.take(b"u"):
            for _ in range(4):
                self.need(_HEX, "in \\u hexadecimal character escape")
        else:
            self.need(b'bfnrt\\/"', "in string escape code")

    def number(self) -> None:
        self.take(b"-")
        if not self.take(b"0"):
            self.digits("in numeric literal")
        if self.take(b"."):
            self.digits("after decimal point in numeric literal")
        if self.take(b"eE"):
            self.take(b"+-")
            self.digits("in exponent of numeric literal")

    def digits(self, where: str) -> None:
        self.need(_DIGITS, where)
        while self.take(_DIGITS):
            pass


def _shown(byte: int) -> str:
    if byte == ord("'"):
        return "'\\''"
    if byte == ord('"'):
        return "'\"'"
    return f"'{quoted(chr(byte))[1:-1]}'"
