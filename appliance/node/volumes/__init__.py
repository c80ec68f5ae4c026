"""Volumes of pods: host folders that are mounted into containers."""
