"""Sources by configuration."""
