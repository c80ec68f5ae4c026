"""The v2 keys API over HTTP: a tree of files and directories, kept as keys of the same store."""
