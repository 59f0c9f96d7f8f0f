"""What each label of a mask stands for, in the words of DICOM SEG and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_lgmsnet import __version__
from napari_lgmsnet.core.io.labels import MadeBy

if TYPE_CHECKING:
    from highdicom.seg import SegmentDescription
    from pydicom import Dataset
    from pydicom.sr.coding import Code

    from napari_lgmsnet.core.info import ClassInfo

MOST_SEGMENTS = 255

_LONGEST_LABEL = 64
_SYNONYMS = {
    "haemorrhage": "hemorrhage",
    "oedema": "edema",
    "polyp": "lesion",
    "tumor": "neoplasm",
    "tumour": "neoplasm",
}


def describe_segments(
    highest: int, classes: tuple[ClassInfo, ...] | None, made_by: MadeBy | None
) -> list[SegmentDescription]:
    """Return one description for each label from 1 to the highest.

    Parameters
    ----------
    highest : int
    classes : tuple of ClassInfo, optional
        Background first. Labels without a class are called "label 3" and the like.
    made_by : MadeBy, optional
        Without it, the mask counts as drawn by hand.
    """
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    kind, algorithm = "MANUAL", None
    if made_by is not None:
        kind = "SEMIAUTOMATIC" if made_by.edited else "AUTOMATIC"
        algorithm = AlgorithmIdentificationSequence(
            name=made_by.checkpoint[:_LONGEST_LABEL],
            family=codes.DCM.ArtificialIntelligence,
            version=__version__,
        )
    descriptions = []
    for label in range(1, highest + 1):
        known = classes[label] if classes is not None and label < len(classes) else None
        name = known.name if known is not None else f"label {label}"
        category, property_type = _codes(name)
        descriptions.append(
            SegmentDescription(
                segment_number=label,
                segment_label=name[:_LONGEST_LABEL],
                segmented_property_category=category,
                segmented_property_type=property_type,
                algorithm_type=kind,
                algorithm_identification=algorithm,
                display_color=CIELabColor.from_rgb(*known.colour) if known is not None else None,
            )
        )
    return descriptions


def classes_of(segments: Sequence[Dataset]) -> tuple[ClassInfo, ...]:
    """Return names and colours of the segments in a file, background first."""
    from highdicom.color import CIELabColor

    from napari_lgmsnet.core.info import named_classes

    described = {int(segment.SegmentNumber): segment for segment in segments}
    highest = max(described, default=0)
    names = [
        str(described[label].get("SegmentLabel") or f"label {label}")
        if label in described
        else f"label {label}"
        for label in range(1, highest + 1)
    ]
    classes = list(named_classes(names))
    for label, segment in described.items():
        stored = segment.get("RecommendedDisplayCIELabValue")
        if stored is not None and label > 0:
            colour = CIELabColor.from_dicom_value(tuple(int(part) for part in stored)).to_rgb()
            classes[label] = classes[label].model_copy(update={"colour": tuple(colour)})
    return tuple(classes)


def _codes(name: str) -> tuple[Code, Code]:
    """Return category and type of a class by its English name, or its last word.

    DICOM PS3.16 CID 7194 (abnormal structures) and CID 7192 (anatomical structures) are searched;
    what is not among them is "tissue".
    """
    from pydicom.sr.codedict import codes

    words = [_SYNONYMS.get(word, word) for word in name.lower().split()]
    known = (
        (codes.SCT.MorphologicallyAbnormalStructure, codes.cid7194),
        (codes.SCT.AnatomicalStructure, codes.cid7192),
    )
    for key in ("".join(word.capitalize() for word in words), (words or [""])[-1].capitalize()):
        for category, group in known:
            if key in group.dir() and key != "Background":
                return category, getattr(group, key)
    return codes.SCT.Tissue, codes.SCT.Tissue
