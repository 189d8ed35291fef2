"""Names of files and columns in the published layout of Multimodal3DIdent and Causal3DIdent."""

from __future__ import annotations

IMAGES = "images"
LATENTS = "latents_image.csv"
TEXT_RAW = "text_raw.txt"
PHRASE = "text_phrasing"

COLUMNS = {
    "shape": "object_shape",
    "x_pos": "object_xpos",
    "y_pos": "object_ypos",
    "z_pos": "object_zpos",
    "alpha": "object_alpharot",
    "beta": "object_betarot",
    "gamma": "object_gammarot",
    "color": "object_color",
    "s_pos": "spotlight_pos",
    "s_color": "spotlight_color",
    "b_color": "background_color",
    "phrase": PHRASE,
}
# columns of what captions call a color end in _index or _name; the spelling is the files' own
HUES = {"color": "object_color", "s_color": "splotlight_color", "b_color": "background_color"}


def picture_name(i: int, n: int) -> str:
    """File of the i-th of n pictures: as many digits as the last one has."""
    return f"{i:0{len(str(n - 1))}d}.png"


def captions_paths(bias: str | None, setting: int | None) -> tuple[str, str]:
    """Files of a setting's captions and of what they say, within the folder.

    Such as ``text/selections_0/text_raw.txt`` and ``latents_text_selections_0.csv``: settings are
    1-based as in Table 10, files count from 0. No bias stands for Multimodal3DIdent, which has one
    set of captions only.
    """
    if bias is None:
        return f"text/{TEXT_RAW}", "latents_text.csv"
    which = f"{bias}s_{setting - 1}"
    return f"text/{which}/{TEXT_RAW}", f"latents_text_{which}.csv"
