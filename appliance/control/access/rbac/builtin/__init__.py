"""Roles and bindings that every cluster has, as tables; `reconcile` keeps them there."""
