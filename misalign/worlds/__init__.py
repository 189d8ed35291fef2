"""Where image-text pairs come from. Everything after a world is shared by all of them."""
