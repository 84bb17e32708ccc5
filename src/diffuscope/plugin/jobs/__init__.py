"""What a dock does, in a process of its own."""
