"""Configuration: a directory of YAML files validated as a whole, and process settings from the environment."""
