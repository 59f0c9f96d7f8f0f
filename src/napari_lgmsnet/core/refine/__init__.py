"""From clicks to a better mask, steered by the network's own probabilities."""
