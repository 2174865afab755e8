"""Rules and documents. No AWS, no I/O."""
