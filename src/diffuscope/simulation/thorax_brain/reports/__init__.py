"""Reports: written by templates, and read by a grammar that knows the words alone."""
