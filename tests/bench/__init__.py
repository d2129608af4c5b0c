"""What stormfold costs: CPU an alert and alert-to-page times, measured on real servers beside Alertmanager."""
