"""Names of services and pods, answered on every node."""
