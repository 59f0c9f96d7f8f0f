"""Many files: found, segmented one after another or on many machines, and never twice."""

from napari_lgmsnet.core.batch.inputs import find_inputs
from napari_lgmsnet.core.batch.outcome import Outcome
from napari_lgmsnet.core.batch.pipeline import predict_files, run_jobs
from napari_lgmsnet.core.batch.records import check_records

__all__ = ["Outcome", "check_records", "find_inputs", "predict_files", "run_jobs"]
