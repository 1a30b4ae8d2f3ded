"""A suite run every night: started, judged against the committed baseline, reported, and remembered."""
