"""Webhooks: sign events about videos and send them to the receivers that tenants chose."""
