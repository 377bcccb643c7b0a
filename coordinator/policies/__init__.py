"""One file per policy, each a layer around a call; they do not know one another."""
