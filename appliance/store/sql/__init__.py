"""The store on SQL: the only room with SQLAlchemy."""
