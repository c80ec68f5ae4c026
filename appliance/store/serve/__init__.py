"""The wire: etcd's v3 services over gRPC, and plain HTTP, on one port."""
