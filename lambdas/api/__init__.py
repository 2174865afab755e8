"""The REST API and its authorizer."""
