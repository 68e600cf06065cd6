"""Networks and queries from and for other programs: .safetensors, .npz, ONNX, VNN-LIB.

Reads what it writes, exactly; restricts what it reads to segments and planes.
"""
