"""Sources by configuration: an adapter made from a mapping instead of code."""
