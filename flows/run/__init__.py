"""What one run works with, and how it is opened."""
