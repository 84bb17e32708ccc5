"""What a result amounts to: the pathologist's numbers, and how near it comes to a truth where there is one."""
