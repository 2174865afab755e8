"""What a user installs: the client, the `reel` command and the PC's cloud."""
