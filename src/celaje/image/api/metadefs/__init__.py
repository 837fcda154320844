"""Metadata definitions: what properties images, flavors, volumes may have, and what they mean."""
