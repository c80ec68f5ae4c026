"""Aggregation: groups of the API that other servers in the cluster answer for."""
