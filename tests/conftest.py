"""What all tests share."""

import asyncio

from hypothesis import settings

# A busy machine is no fault of the code: time limits of single examples say nothing here.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

# pytest-asyncio asks for "the current loop" before it makes its own. Where none was ever set,
# asyncio makes one that nobody closes, and its ResourceWarning fails whichever test runs when it is
# collected. Setting none makes asyncio say so instead, which pytest-asyncio understands.
asyncio.set_event_loop(None)
