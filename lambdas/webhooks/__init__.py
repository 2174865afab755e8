"""Webhooks: tell the receivers that tenants chose about their videos."""
