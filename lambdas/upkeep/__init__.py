"""Repair what lost events left undone."""
