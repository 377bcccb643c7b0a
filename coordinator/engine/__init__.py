"""The engine moves messages: contexts, channels, loops, plans, runs. Knows no policy, model, store or agent by name."""
