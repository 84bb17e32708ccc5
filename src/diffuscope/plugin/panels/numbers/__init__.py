"""Numbers of results: counted anew for another threshold, listed, taken along."""
