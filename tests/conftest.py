"""What all tests share."""

import asyncio

# pytest-asyncio asks for "the current loop" before it makes its own. Where none was ever set,
# asyncio makes one that nobody closes, and its ResourceWarning fails whichever test runs when it is
# collected. Setting none makes asyncio say so instead, which pytest-asyncio understands.
asyncio.set_event_loop(None)
