"""Who writes: each text backend is one module behind interface.py, and one line of catalogue.py."""
