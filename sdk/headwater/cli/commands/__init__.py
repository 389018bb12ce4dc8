"""What the commands do, by topic."""
