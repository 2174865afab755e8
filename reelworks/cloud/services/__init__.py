"""The AWS services that the PC's cloud answers itself, in their wire formats."""
