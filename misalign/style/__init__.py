"""The figure vocabulary: colors by what captions do to a factor, and the book's style."""

# Okabe and Ito's palette: told apart by colour-blind readers, on white and in print
COLORS = {
    "unbiased": "#0072B2",
    "perturbed": "#E69F00",
    "omitted": "#D55E00",
    "specific": "#999999",
    "theory": "#333333",
}
SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")  # lines that are not told by status
STYLE = "misalign.style.misalign"  # for matplotlib.style.use and .context


def use_style() -> None:
    """Set the book's look for every figure that follows."""
    from matplotlib import pyplot as plt

    plt.style.use(STYLE)
