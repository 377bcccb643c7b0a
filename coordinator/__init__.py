"""Coordinator: teams of LLM agents as bounded, accountable workflows."""
