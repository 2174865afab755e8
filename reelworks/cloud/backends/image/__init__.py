"""Who draws stills: each image backend is one module behind interface.py, and one line of catalogue.py."""
