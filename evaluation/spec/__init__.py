"""The spec: what the user asks for, as a TOML file."""
