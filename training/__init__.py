"""Offline training: neural networks from scratch in NumPy, from a recipe to an artifact."""
