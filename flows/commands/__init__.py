"""What each command of `shotreel` does."""
