"""Derivatives of functions: `grad`, `vjp`, `jvp`, `jacobian`, `hessian` and forward mode."""
