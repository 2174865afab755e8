"""The rule-based director: prompts and storyboards without a model."""
