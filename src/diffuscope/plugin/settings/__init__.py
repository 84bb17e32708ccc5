"""What a user has settled for all windows: preferences, and what each dock was last run with."""
