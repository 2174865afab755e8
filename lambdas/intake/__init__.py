"""How requests come in: checked, recorded and queued, from the API and the drop folder."""
