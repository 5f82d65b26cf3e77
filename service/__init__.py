"""The HTTP service: bytes in, a classifier's judgement out."""

__version__ = "0.1.0"
