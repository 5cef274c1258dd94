"""Pruning layer by layer: prunable models, plans, exact cheap evaluation, free baselines, and the environment."""
