"""The demo: an alert storm played through everything, on this machine alone."""
