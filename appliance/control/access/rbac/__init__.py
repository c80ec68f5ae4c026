"""Role-based access control: roles and bindings, compiled and asked."""
