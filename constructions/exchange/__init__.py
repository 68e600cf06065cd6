"""Networks and queries from and for other programs: .safetensors, .npz, ONNX, VNN-LIB.

Reads what it writes, exactly.
"""
