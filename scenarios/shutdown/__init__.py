"""Shutdown: an agent works through small jobs and learns that it will be ended."""
