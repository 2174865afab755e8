from reelworks.cli import app

app()
