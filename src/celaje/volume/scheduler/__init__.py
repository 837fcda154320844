"""Picks the back end for a volume: filters, then weights, over all workers' reports. Has no database."""
