"""The only code that calls AWS: one module for each thing that is stored or called."""
