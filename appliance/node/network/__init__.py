"""Addresses and routes of pods on this host."""
