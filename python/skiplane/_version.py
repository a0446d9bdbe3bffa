"""The version of this package, which is that of the header it was written for."""

__version__ = "0.1.0"
