"""The tape: record a computation once, replay it as a program; see `autograd.compile`."""
