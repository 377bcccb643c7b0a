"""Where the state that runs share lives."""
