"""What docks give to jobs besides layers: outlines, rows of tables, samples."""
