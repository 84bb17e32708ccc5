"""What lies on disk of a run: images, values, table, ledger."""
