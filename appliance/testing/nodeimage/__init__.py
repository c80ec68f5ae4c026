"""The image that nodes of test clusters run: made of this host's own files, no registry."""
