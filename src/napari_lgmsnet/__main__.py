"""``python -m napari_lgmsnet`` is the command line."""

from napari_lgmsnet.cli import main

# Workers that are started as processes of their own import this module as well.
if __name__ == "__main__":
    main()
