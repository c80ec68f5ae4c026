"""Where the wish for pods comes from: the API and manifests of this host."""
