"""What a user sees a result and its inputs by."""
