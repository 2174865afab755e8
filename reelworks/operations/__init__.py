"""What an operator asks of a deployment, on AWS or on a PC: one module for each question. Only the clients of
`reelworks.deployment` are used."""
