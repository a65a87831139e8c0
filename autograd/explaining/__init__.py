"""Explanations of recorded graphs: formulas, and the derivatives step by step."""
