"""The command line `python -m autograd`."""
