"""What is looked at before a library is let near a file: its place, what it claims, how large its pieces unpack."""
