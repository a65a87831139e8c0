"""A graph in words: its formula, its derivatives step by step, and the documents that show them."""
