"""Training from a plain folder of images and masks."""
