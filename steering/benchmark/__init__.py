"""How fast steered generation is, as ratios measured side by side: `python -m steering.benchmark`.

Speeds of one machine say little and change with its load; what is compared here is run in turns, and the
median ratio is reported. Measures nothing of what a model says, except how often a run's text depends on the
rows beside it.
"""
