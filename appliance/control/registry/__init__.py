"""The only door from API objects to the store."""
