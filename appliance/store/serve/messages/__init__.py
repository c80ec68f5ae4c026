"""etcd's protobuf messages, a file per service; numbers and names are the protocol's."""
