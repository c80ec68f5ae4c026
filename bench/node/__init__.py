"""What a node costs: pods' starts beside the bare engine, and standing still."""
