"""The pipeline's rules and documents, without AWS calls or I/O."""
