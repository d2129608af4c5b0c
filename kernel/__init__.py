"""What the services share: the model, the bus, the store, configuration, clock and telemetry."""
