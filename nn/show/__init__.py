"""Pictures and summaries of modules."""
