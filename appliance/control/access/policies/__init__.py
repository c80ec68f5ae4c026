"""Admission policies: rules about writes in the expression language, kept as objects."""
