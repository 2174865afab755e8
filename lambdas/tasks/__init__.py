"""The tasks of the state machine: each module is the function of the state of its name."""
