"""Placement's rows: tables, and queries by resource. Called by its API handlers only."""
