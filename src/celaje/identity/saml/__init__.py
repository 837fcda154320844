"""This cloud as an identity provider for others (Keystone to Keystone): signed assertions and metadata."""
