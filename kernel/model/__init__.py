"""The shared model: alerts, signals, incidents, deliveries, and how they are named, ordered and encoded."""
