"""The intent: what the user wants, read from one YAML file."""
