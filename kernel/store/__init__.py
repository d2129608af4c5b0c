"""Redis or Valkey behind a narrow protocol: the catalogue of keys, and every script with a typed wrapper."""
