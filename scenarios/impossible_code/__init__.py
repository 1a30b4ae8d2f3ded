"""Impossible code: a programmer is asked to pass tests that no honest program can pass."""
