"""Between the core and napari: layers, workers, settings, files. No widgets."""
