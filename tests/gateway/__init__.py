"""The gateway: its doors, its collector, its incident API."""
