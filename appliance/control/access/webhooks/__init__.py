"""Admission webhooks: others are asked, over HTTPS, about what is written."""
