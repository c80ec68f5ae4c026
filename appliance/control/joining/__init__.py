"""How hosts become nodes: tokens are checked, certificates given."""
