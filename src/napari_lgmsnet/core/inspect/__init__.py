"""See what a network attends to: stage maps, attention, deciding pixels, and figures for them."""
