"""Image backends for stills: each is one module behind interface.py and one line in catalogue.py."""
