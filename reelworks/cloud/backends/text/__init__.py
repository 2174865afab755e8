"""Text backends: each is one module behind interface.py and one line in catalogue.py."""
