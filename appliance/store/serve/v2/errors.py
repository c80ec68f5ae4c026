"""Errors of the v2 API: clients go by the code.

Source: etcd server/etcdserver/api/v2error/error.go.
"""

from enum import Enum
from typing import Any


class Code(Enum):
    """(code, HTTP status, message)."""

    KEY_NOT_FOUND = (100, 404, "Key not found")
    TEST_FAILED = (101, 412, "Compare failed")
    NOT_FILE = (102, 403, "Not a file")
    NOT_DIR = (104, 400, "Not a directory")
    NODE_EXISTS = (105, 412, "Key already exists")
    ROOT_READ_ONLY = (107, 400, "Root is read only")
    DIR_NOT_EMPTY = (108, 403, "Directory not empty")
    UNAUTHORIZED = (110, 401, "The request requires user authentication")
    PREV_VALUE_REQUIRED = (201, 400, "PrevValue is Required in POST form")
    TTL_NAN = (202, 400, "The given TTL in POST form is not a number")
    INDEX_NAN = (203, 400, "The given index in POST form is not a number")
    INVALID_FIELD = (209, 400, "Invalid field")
    INVALID_FORM = (210, 400, "Invalid POST form")
    REFRESH_VALUE = (211, 400, "Value provided on refresh")
    REFRESH_TTL_REQUIRED = (212, 400, "A TTL must be provided on refresh")
    INTERNAL = (300, 500, "Raft Internal Error")
    EVENT_INDEX_CLEARED = (401, 400, "The event in requested index is outdated and cleared")


class V2Error(Exception):
    """A request is refused; `index` is the tree's, 0 for requests that make no sense."""

    def __init__(self, code: Code, cause: str = "", index: int = 0) -> None:
        super().__init__(f"{code.value[2]} ({cause})")
        self.code = code
        self.cause = cause
        self.index = index

    @property
    def status(self) -> int:
        """For HTTP."""
        return self.code.value[1]

    def data(self) -> dict[str, Any]:
        """For JSON."""
        number, _, message = self.code.value
        cause = {"cause": self.cause} if self.cause else {}
        return {"errorCode": number, "message": message, **cause, "index": self.index}
