"""What a result amounts to: the pathologist's numbers."""
