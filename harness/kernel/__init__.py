"""What the kernel says: one small module for each of its interfaces."""
