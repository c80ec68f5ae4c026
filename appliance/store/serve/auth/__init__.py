"""Who may do what: etcd's users, roles, permissions and tokens, and the checks of every call."""
