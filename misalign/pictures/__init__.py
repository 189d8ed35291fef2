"""Where pictures come from: a renderer, one big array on disk, or a folder of files.

Pictures come as bytes, by their indices; `Kept` holds those of any other source in memory.
"""

from misalign.pictures.base import Pictures, split
from misalign.pictures.folder import Folder
from misalign.pictures.kept import Kept
from misalign.pictures.rendered import Rendered
from misalign.pictures.stored import Stored

__all__ = ["Folder", "Kept", "Pictures", "Rendered", "Stored", "split"]
