"""The reference team's own tools, one file per system they touch."""
