"""Hardened general tools: folders of text, full-text search, worlds. Siblings of the engine; know only the words."""
