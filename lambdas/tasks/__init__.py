"""Tasks of the state machine: one module per state, named after it."""
