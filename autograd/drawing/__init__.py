"""A graph to look at: pictures, moving pictures, diagrams and the page that plays the backward pass."""
