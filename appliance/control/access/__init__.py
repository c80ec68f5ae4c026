"""Who may come in, and with what: authentication, authorisation, admission."""
