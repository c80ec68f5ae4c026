"""appliance: Kubernetes for small hosts."""

__version__ = "0.1.0"
