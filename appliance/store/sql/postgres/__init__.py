"""The store on PostgreSQL, for several masters: the only room with psycopg."""
