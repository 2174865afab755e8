"""The lifecycle of the cloud's process: up, down, restart, and the deployment of the template."""
