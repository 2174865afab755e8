"""Programs that CodeBuild runs for work that takes too long for a function."""
