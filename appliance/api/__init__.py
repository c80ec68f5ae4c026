"""Kubernetes words as pure functions and types: no I/O, no clock, no asyncio."""
