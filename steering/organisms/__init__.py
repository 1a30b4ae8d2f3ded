"""Tiny language models trained from scratch here, in which known emotion-behaviour links are planted."""
