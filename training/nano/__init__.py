"""Recipe of cogvideox-nano: clips drawn by a script, a checkpoint trained on them, its score."""
