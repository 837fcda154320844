"""Celaje: OpenStack's component architecture, small enough to read and to start in a second."""

__version__ = "0.1.0"
