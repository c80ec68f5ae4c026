"""nftables in this process, through libnftables: no subprocess per change.

The proxy and the pod network write their rules with it. One `Nft` holds one library context
(a netlink socket in the network namespace of the thread that made it); calls are serialised by
a lock and block for about a millisecond, so loops call them through a thread. A ruleset given
in one call is applied whole or not at all: that is the kernel's transaction.

Source: libnftables(3), libnftables-json(5).
"""

import ctypes
import json
import threading
from types import TracebackType
from typing import Any, Self

_LIBRARY = "libnftables.so.1"
_OUTPUT_JSON = 1 << 4
_OUTPUT_NUMERIC = 1 << 7 | 1 << 8 | 1 << 9  # protocols, priorities and symbols as numbers


class NftError(Exception):
    """nft refused the ruleset; `str()` is what it said, `ruleset` what it was given."""

    def __init__(self, message: str, ruleset: str) -> None:
        super().__init__(message)
        self.ruleset = ruleset


class NftMissing(Exception):
    """The library is not on this host; `str()` says how to get it."""


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise NftMissing(f"{_LIBRARY} is not here ({error}); install nftables") from error
    context = ctypes.c_void_p
    library.nft_ctx_new.restype = context
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    library.nft_run_cmd_from_buffer.argtypes = [context, ctypes.c_char_p]
    library.nft_run_cmd_from_buffer.restype = ctypes.c_int
    library.nft_ctx_output_set_flags.argtypes = [context, ctypes.c_uint]
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free"):
        getattr(library, name).argtypes = [context]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).argtypes = [context]
        getattr(library, name).restype = ctypes.c_char_p
    return library


class Nft:
    """One libnftables context; safe to call from any thread.

    Raises:
        NftMissing: the library is not installed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._library = _load()
        self._context: int | None = self._library.nft_ctx_new(0)
        if not self._context:
            raise NftMissing("libnftables gave no context; is the machine out of memory?")
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def run_text(self, ruleset: str) -> str:
        """Apply a ruleset in nft's own language; return what `list` commands in it print.

        Raises:
            NftError: it was refused; nothing of it has been applied.
        """
        return self._run(ruleset, 0)

    def run_json(self, commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Apply commands in the JSON schema; return the objects that `list` commands found.

        Raises:
            NftError: they were refused; none of them has been applied.
        """
        text = self._run(json.dumps({"nftables": commands}), _OUTPUT_JSON | _OUTPUT_NUMERIC)
        return list(json.loads(text)["nftables"]) if text.strip() else []

    def close(self) -> None:
        """Free the context; rules stay."""
        with self._lock:
            if self._context is not None:
                self._library.nft_ctx_free(self._context)
                self._context = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, ruleset: str, flags: int) -> str:
        with self._lock:
            if self._context is None:
                raise NftError("this Nft has been closed", ruleset)
            self._library.nft_ctx_output_set_flags(self._context, flags)
            failed = self._library.nft_run_cmd_from_buffer(self._context, ruleset.encode())
            # Reading a buffer also empties it, so both are read each time.
            output: bytes = self._library.nft_ctx_get_output_buffer(self._context) or b""
            message: bytes = self._library.nft_ctx_get_error_buffer(self._context) or b""
        if failed:
            raise NftError(message.decode(errors="replace").strip() or "refused", ruleset)
        return output.decode(errors="replace")


def nft_usable() -> str:
    """Say why nftables can't be used on this host; "" when it can."""
    try:
        with Nft() as nft:
            nft.run_json([{"list": {"tables": None}}])
    except (NftMissing, NftError) as error:
        return str(error)
    return ""
