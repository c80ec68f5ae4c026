"""The store on a cluster of etcd: our own gRPC client, and the protocol on top of it."""
