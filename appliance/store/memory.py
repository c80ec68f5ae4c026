"""MemoryStore: the model behind the protocol; test oracle and demo mode."""
