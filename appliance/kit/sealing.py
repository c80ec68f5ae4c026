"""Bytes that only who knows a word can open: scrypt makes a key of the word, AES-GCM seals.

Used for what several masters share through their datastore. Opening takes about 0.1 s on purpose;
a word that people made up is still weaker than a drawn one.
"""

import base64
import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

_VERSION = 1


class WrongWord(Exception):
    """The word does not open it, or the bytes were changed."""


def seal(content: bytes, word: str) -> bytes:
    """Close it."""
    salt, nonce = os.urandom(16), os.urandom(12)
    sealed = AESGCM(_key(word, salt)).encrypt(nonce, content, None)
    parts = {"salt": salt, "nonce": nonce, "sealed": sealed}
    text = {name: base64.b64encode(part).decode() for name, part in parts.items()}
    return json.dumps({"version": _VERSION, **text}).encode()


def unseal(data: bytes, word: str) -> bytes:
    """Open it.

    Raises:
        WrongWord: it was not closed with this word.
    """
    try:
        parts = json.loads(data)
        salt, nonce, sealed = (base64.b64decode(parts[n]) for n in ("salt", "nonce", "sealed"))
        return AESGCM(_key(word, salt)).decrypt(nonce, sealed, None)
    except (ValueError, KeyError, TypeError, InvalidTag) as error:
        raise WrongWord("it does not open with this word") from error


def _key(word: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=1 << 15, r=8, p=1).derive(word.encode())
