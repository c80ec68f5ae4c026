"""A Starlette application with FastAPI's way of saying routes, and without its 15 MB.

The node's API reads no bodies into types and describes itself to nobody, and the agent runs on
hosts where every megabyte is the pods'.
"""

from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]


class Routes(Starlette):
    """Routes in the order in which they are said."""

    def get(self, path: str) -> Callable[[Handler], Handler]:
        """Answer GET."""
        return self.on(path, ("GET",))

    def on(self, path: str, methods: Sequence[str]) -> Callable[[Handler], Handler]:
        """Answer these methods."""

        def add(handler: Handler) -> Handler:
            self.router.add_route(path, handler, methods=list(methods))
            return handler

        return add
