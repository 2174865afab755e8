"""The studio in a real browser, on a PC's cloud."""
