"""Holders in the memory of one process: money, rates, health, retries."""
