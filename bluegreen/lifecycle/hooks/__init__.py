"""Running the hooks of a point: their order, their facts, their time."""
