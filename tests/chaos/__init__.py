"""Films while everything around them fails: `make chaos`. docs/reliability.md has what it found."""
