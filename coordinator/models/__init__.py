"""Providers behind one protocol; each is imported on first use, from the table in `app/providers.py`."""
