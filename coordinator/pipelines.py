"""THE place: the four onions, outermost layer first. `tests/test_pipelines.py` states these orders by name."""
