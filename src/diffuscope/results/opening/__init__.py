"""A result as it is read: looked over, and nothing but what lies in it."""
