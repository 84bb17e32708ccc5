"""MMFusion's tables: simulated patients with CT, and real tables without."""
