"""What leaves the house about what happened: events as JSON lines."""
