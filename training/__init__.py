"""How the weights that this repository ships were made."""
