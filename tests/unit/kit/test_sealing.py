import json

import pytest

from appliance.kit.sealing import WrongWord, seal, unseal


def test_only_the_word_opens_it() -> None:
    sealed = seal(b"the key", "word")
    assert unseal(sealed, "word") == b"the key"
    assert b"the key" not in sealed
    assert seal(b"the key", "word") != sealed, "a salt of its own each time"
    with pytest.raises(WrongWord):
        unseal(sealed, "Word")


def test_changed_bytes_do_not_open() -> None:
    parts = json.loads(seal(b"the key", "word"))
    parts["sealed"] = parts["sealed"][:-8] + "AAAAAAA="
    for broken in (json.dumps(parts).encode(), b"{}", b"[]", b"nonsense"):
        with pytest.raises(WrongWord):
            unseal(broken, "word")
