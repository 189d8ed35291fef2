"""The same scenes by Blender's Cycles (an extra: `pip install 'misalign[blender]'`)."""
