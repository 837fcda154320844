"""Identity's REST API: one file a resource, `routes.py` is the table of contents."""
