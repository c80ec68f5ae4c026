"""The node's own HTTPS API: logs, pods, health; the API server is its only caller."""
