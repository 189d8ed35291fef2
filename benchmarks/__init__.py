"""Time and memory of what training spends them on, beside naive versions and floors."""
