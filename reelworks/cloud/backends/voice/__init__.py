"""Who speaks: each voice backend is one module behind interface.py."""
