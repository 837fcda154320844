"""Volume drivers: the interface is in base.py, one back end a file beside it."""
