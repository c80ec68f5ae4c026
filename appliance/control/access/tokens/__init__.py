"""Tokens of service accounts: made on request, recognised at each."""
