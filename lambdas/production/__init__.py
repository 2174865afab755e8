"""What the tasks of the state machine share: tokens, plans, progress in the record, film layout."""
