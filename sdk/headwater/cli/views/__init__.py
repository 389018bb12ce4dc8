"""How a run looks while it goes on, and when it is over."""
