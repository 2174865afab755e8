"""Reelworks' user package: the API client, the `reel` command and the PC's cloud."""
