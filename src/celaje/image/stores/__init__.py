"""Where images' bytes lie: the interface is in base.py, one store a file beside it."""
