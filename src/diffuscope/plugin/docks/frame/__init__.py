"""What every dock has, whatever it does: its place in the window, its layout, its help, its end."""
