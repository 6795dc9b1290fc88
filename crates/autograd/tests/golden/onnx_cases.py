"""Writes onnx.txt and onnx.npz: ONNX's own cases of the ops that are on the tape, with their inputs and outputs.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install onnx numpy
    /tmp/venv/bin/python crates/autograd/tests/golden/onnx_cases.py

A case is a model of one node. Its line says the name, the op, the attributes, and the types and shapes of inputs and outputs,
whose numbers follow each other in the one array of onnx.npz. Lines that begin with # say what is passed over here, and why.
Made with onnx 1.23.2.
"""

import collections
import pathlib
import warnings

import numpy as np
import onnx
from onnx import numpy_helper

warnings.filterwarnings("ignore")
from onnx.backend.test.loader import load_model_tests  # noqa: E402

HERE = pathlib.Path(__file__).parent

OPS = """
Add Sub Mul Div Neg Abs Exp Log Sqrt Reciprocal Pow Sin Cos Erf Clip Max Min Where Sum Mean
Tanh Sigmoid Relu LeakyRelu Elu Selu Gelu Mish Softplus HardSigmoid HardSwish PRelu Swish
ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare CumSum
MatMul Gemm Einsum Reshape Transpose Slice Squeeze Unsqueeze Flatten Expand Concat Split Pad Tile Identity Dropout
Gather GatherElements ScatterElements Trilu TopK LpNormalization Softmax LogSoftmax
SoftmaxCrossEntropyLoss NegativeLogLikelihoodLoss
LayerNormalization RMSNormalization BatchNormalization GroupNormalization InstanceNormalization
RNN GRU LSTM Attention
Conv ConvTranspose MaxPool AveragePool GlobalAveragePool GlobalMaxPool Resize DepthToSpace SpaceToDepth Col2Im
""".split()

TYPES = {"float32": "f32", "float64": "f64", "int64": "i64", "int32": "i64", "bool": "bool"}

MOST = 6500  # numbers in one case


def attribute(a):
    value = onnx.helper.get_attribute_value(a)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (list, tuple, np.ndarray)) or hasattr(value, "__iter__"):
        return ",".join(v.decode() if isinstance(v, bytes) else str(v) for v in value)
    return repr(float(value)) if isinstance(value, float) else str(value)


def main():
    lines, numbers, passed = [], [], collections.Counter()
    for case in load_model_tests(kind="node"):
        nodes = case.model.graph.node
        if len(nodes) != 1:
            passed["of several nodes: they are the bodies of other cases"] += 1
            continue
        node = nodes[0]
        if node.op_type not in OPS:
            passed["of ops that are not on the tape"] += 1
            continue
        try:
            inputs, outputs = case.data_sets[0]
            inputs, outputs = [[np.asarray(x) if not isinstance(x, onnx.TensorProto) else numpy_helper.to_array(x) for x in of]
                               for of in (inputs, outputs)]
        except (ValueError, TypeError):
            passed["of sequences, optional values or strings"] += 1
            continue
        if any(x.dtype.name not in TYPES for x in inputs + outputs):
            passed["of types that no tape is in, such as f16"] += 1
            continue
        if sum(x.size for x in inputs + outputs) > MOST:
            passed[f"of more than {MOST} numbers"] += 1
            continue
        attributes = [f"{a.name}={attribute(a)}" for a in node.attribute]
        opset = next(o.version for o in case.model.opset_import if o.domain == "")
        attributes.append(f"opset={opset}")
        # An input that is left out has no name.
        rest = iter(inputs)
        given = [next(rest) if name else None for name in node.input]
        describe = lambda x: "-" if x is None else f"{TYPES[x.dtype.name]}:{','.join(map(str, x.shape))}"
        lines.append("\t".join([case.name, node.op_type, ";".join(attributes), ";".join(map(describe, given)),
                                ";".join(map(describe, outputs))]))
        numbers += [x.astype(np.float64).reshape(-1) for x in given if x is not None] + [
            x.astype(np.float64).reshape(-1) for x in outputs]
    header = [f"# {count} {why}" for why, count in sorted(passed.items())]
    (HERE / "onnx.txt").write_text("\n".join(header + lines) + "\n")
    np.savez_compressed(HERE / "onnx.npz", numbers=np.concatenate(numbers))
    print(len(lines), "cases", dict(passed))


if __name__ == "__main__":
    main()
