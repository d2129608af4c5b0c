"""Source adapters, one vendor a file."""
