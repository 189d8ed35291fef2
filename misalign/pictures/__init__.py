"""Where pictures come from: a renderer, one big array on disk, or a folder of files."""

from misalign.pictures.base import Pictures, split
from misalign.pictures.folder import Folder
from misalign.pictures.rendered import Rendered
from misalign.pictures.stored import Stored

__all__ = ["Folder", "Pictures", "Rendered", "Stored", "split"]
