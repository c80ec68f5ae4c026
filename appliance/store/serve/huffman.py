"""Huffman strings of HPACK, decoded a byte at a time.

The code is canonical: shorter codes first, equal lengths by symbol. So the lengths alone are the
code. Decoding walks a tree; what one byte does from one inner node is worked out when it first
happens and then remembered (at most 256 nodes times 256 bytes).

Source: RFC 7541, section 5.2 and appendix B.
"""

_LENGTHS = """
    13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28
    28 6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10 13 6 7 7 7 7 7
    7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6 15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6
    5 5 6 7 7 7 7 7 15 11 14 13 28 20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23
    24 23 23 23 23 21 22 23 22 23 23 24 22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22
    21 23 22 23 23 20 22 22 22 23 22 22 23 26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21
    26 27 27 26 27 24 21 21 26 26 28 27 27 27 20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26
    27 26 26 27 27 27 27 27 28 27 27 27 27 27 26 30
    """
_EOS = 256

_Node = list["int | _Node | None"]
"""Two branches: a symbol, a further node, or nothing yet."""
_Step = tuple["_Node", bytes]


class HuffmanError(ValueError):
    """The bytes are no Huffman string."""


def _codes() -> dict[int, tuple[int, int]]:
    """Symbol to (code, length)."""
    lengths = [int(word) for word in _LENGTHS.split()]
    order = sorted(range(len(lengths)), key=lambda symbol: (lengths[symbol], symbol))
    codes: dict[int, tuple[int, int]] = {}
    code, before = 0, lengths[order[0]]
    for symbol in order:
        code <<= lengths[symbol] - before
        before = lengths[symbol]
        codes[symbol] = (code, before)
        code += 1
    return codes


def _tree() -> _Node:
    root: _Node = [None, None]
    for symbol, (code, length) in _codes().items():
        node = root
        for shift in range(length - 1, 0, -1):
            branch = node[code >> shift & 1]
            if not isinstance(branch, list):
                branch = [None, None]
                node[code >> shift & 1] = branch
            node = branch
        node[code & 1] = symbol
    return root


_ROOT = _tree()
_STEPS: dict[tuple[int, int], _Step] = {}


def _padding_nodes() -> frozenset[int]:
    """Where a string may stop: at the root, or up to seven bits into the all-ones code."""
    nodes, node = {id(_ROOT)}, _ROOT
    for _ in range(7):
        branch = node[1]
        assert isinstance(branch, list)  # noqa: S101 - the code of ones is 30 bits long
        node = branch
        nodes.add(id(node))
    return frozenset(nodes)


_MAY_END = _padding_nodes()


def decode(data: bytes) -> bytes:
    """Decode a string.

    Raises:
        HuffmanError: it holds the end symbol, or its padding is wrong.
    """
    node, out = _ROOT, bytearray()
    for byte in data:
        step = _STEPS.get((id(node), byte))
        if step is None:
            step = _STEPS[id(node), byte] = _walk(node, byte)
        node = step[0]
        out += step[1]
    if id(node) not in _MAY_END:
        raise HuffmanError("wrong padding")
    return bytes(out)


def _walk(node: _Node, byte: int) -> _Step:
    out = bytearray()
    for shift in range(7, -1, -1):
        branch = node[byte >> shift & 1]
        if isinstance(branch, list):
            node = branch
        elif branch is None or branch == _EOS:
            raise HuffmanError("the end symbol inside a string")
        else:
            out.append(branch)
            node = _ROOT
    return node, bytes(out)


def encode(text: bytes) -> bytes:
    """Encode a string; the server sends none, tests and clients do."""
    bits, count = 0, 0
    codes = _codes()
    for symbol in text:
        code, length = codes[symbol]
        bits, count = bits << length | code, count + length
    pad = -count % 8
    return (bits << pad | (1 << pad) - 1).to_bytes((count + pad) // 8, "big")
