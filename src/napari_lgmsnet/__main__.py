"""``python -m napari_lgmsnet`` is the command line."""

from napari_lgmsnet.cli import main

main()
