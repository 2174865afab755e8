"""Training of the weights that this repository ships."""
