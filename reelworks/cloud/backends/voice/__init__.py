"""Voice backends: each is one module behind interface.py."""
