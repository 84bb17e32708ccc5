"""One verb a file: what every face calls."""
