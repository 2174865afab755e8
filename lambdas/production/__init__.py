"""Code shared by the state machine's tasks: tokens, plans, progress in the record, film layout."""
