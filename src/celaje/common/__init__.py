"""The common ground: what every service stands on, and none of them is."""
