"""The HTTP service: bytes in, a classifier's judgement out."""
