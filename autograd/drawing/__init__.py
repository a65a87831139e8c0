"""Drawings of graphs and networks, animations, and the interactive page."""
