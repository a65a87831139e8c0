"""The layers, each with PyTorch's name and arguments."""
