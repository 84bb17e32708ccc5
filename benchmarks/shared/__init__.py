"""What several benchmarks need: slides with a truth, scans of patients, cells of tables, the form of figures."""
