"""Words of computing, none of Kubernetes: tasks, clock, queues, JSON, subprocesses."""
