"""What a run will take, told before Run: tiles, area, time, room on the disk."""
