"""The only code that calls AWS: one module for each stored resource or called service."""
