"""How a network is run: plain torch, folded torch, or OpenVINO.

``names`` says which engines there are; ``folding`` and ``graph`` describe the network once, with
norms folded into convolutions; ``fused`` and ``openvino`` build that with their libraries;
``checked`` compares them with plain torch; ``timings`` remembers how fast each is; ``choice``
decides. Inspecting, refining and training keep plain torch: they need hooks and gradients.
"""
