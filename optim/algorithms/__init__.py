"""The optimizers, one file per family; import them from `optim`."""
