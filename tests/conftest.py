"""Puts this folder on the import path, for `reference` and `random_networks`."""
