"""One tile looked at before a run, which leaves nothing on disk."""
