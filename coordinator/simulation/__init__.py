"""Worlds for tests: virtual time and faults on demand."""
