"""Writing signatures: checks, samples, scaffold, filter pattern, JSON Schema."""
