"""The relay process: services without nftables, by copying bytes between sockets.

A process of its own, because relaying keeps an interpreter busy, and because open and new
connections shall outlive the agent: `backends/userspace.py` starts it, tells it what to listen on,
and finds it again after a restart. It imports little and knows nothing of Kubernetes.
"""
