"""Where images come from: a renderer, one big array on disk, or a folder of files."""
