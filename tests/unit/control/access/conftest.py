"""A registry over memory, as the registry's own tests have it."""

from tests.unit.control.registry.conftest import call, clock, registry, store

__all__ = ["call", "clock", "registry", "store"]
