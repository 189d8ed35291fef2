"""Encoders f_x and f_t."""
