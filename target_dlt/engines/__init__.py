"""How a batch gets into a destination."""
