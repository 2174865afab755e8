"""Upkeep: repairs what lost events left undone."""
