"""The AWS services that the PC's cloud implements itself, in their wire formats."""
