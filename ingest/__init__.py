"""The machines' side: the gateway, one adapter for each source, identity and the suppression of repeats."""
