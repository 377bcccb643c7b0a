"""The words of the house: frozen values, protocols, errors, money. Imports nothing of ours."""
