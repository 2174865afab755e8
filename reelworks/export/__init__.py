"""`reel export`: a film as a project for video editors, with its clips, narration, music and captions."""
