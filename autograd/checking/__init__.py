"""Numerical checks of derivatives: `gradcheck`, `gradgradcheck` and `verify`."""
