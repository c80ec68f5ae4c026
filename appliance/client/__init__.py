"""How every loop talks to the API: the Client protocol, reflectors, caches, the loop runner."""
