"""Programs that CodeBuild runs for work that outlasts a function."""
