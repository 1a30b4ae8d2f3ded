"""Where a model's code runs: a sandbox without network, host files or environment. Never the host."""
