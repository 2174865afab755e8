"""Makes what this repository ships: trains the nano checkpoint, prepares the pictograms."""
