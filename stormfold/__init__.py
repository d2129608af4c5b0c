"""The command: composition of the services, embedded mode, demo and operations."""
