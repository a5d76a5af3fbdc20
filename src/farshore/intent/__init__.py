"""The intent, read from one YAML file."""
