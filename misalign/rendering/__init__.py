"""The differentiable renderer g_x of the image worlds."""
