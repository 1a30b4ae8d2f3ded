"""Steering vectors, the hooks that add them to a model, and the proof that they were added."""
