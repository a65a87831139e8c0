"""The differentiable operations, each with its derivative on the line above the forward function."""
