"""What can be computed: every function of numbers and arrays, with its derivative on the line above it."""
