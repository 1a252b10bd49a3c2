"""Moving traffic, and what may still move it late."""
