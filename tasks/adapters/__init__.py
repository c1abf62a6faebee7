"""What talks: one module per engine, each returning types of the core."""
