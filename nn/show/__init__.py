"""Drawings, plots and summaries of modules."""
