"""One node of a file, run for itself on other tensors than those it has."""

from __future__ import annotations

from collections.abc import Container
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

    from .exact import Exact


def alone(exact: Exact, node: NodeProto, feeds: dict[str, np.ndarray],
          positive: Container[str] = ()) -> list[np.ndarray]:
    """What ``node``, of ONNX' own domain or QONNX's with channels last, gives for ``feeds``, a tensor for each input.

    :param positive: attributes that are taken without their sign.
    """
    from onnx import NodeProto, helper

    copy, opset = NodeProto(), exact.opsets.get("", exact.opsets.get("ai.onnx", 13))
    copy.CopyFrom(node)
    turned = node.domain.endswith("channels_last")
    if turned:
        copy.domain = ""
        first = set(node.input[: 2 if node.op_type == "Conv" else 1])
        feeds = {x: np.moveaxis(feed, -1, 1) if x in first else feed for x, feed in feeds.items()}
    for attribute in copy.attribute:
        if attribute.name in positive:
            attribute.f = abs(attribute.f)
    inputs = [helper.make_tensor_value_info(x, helper.np_dtype_to_tensor_dtype(feed.dtype), feed.shape)
              for x, feed in feeds.items()]
    outputs = [helper.make_empty_tensor_value_info(y) for y in node.output]
    model = helper.make_model(helper.make_graph([copy], "alone", inputs, outputs),
                              opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    results = _run(model, feeds)
    return [np.moveaxis(result, 1, -1) for result in results] if turned else results


def _run(model: ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    if find_spec("onnxruntime"):
        import onnxruntime

        with suppress(Exception):  # of many classes; what it cannot run, the evaluator below may
            return list(onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds))
    from onnx.reference import ReferenceEvaluator

    return list(ReferenceEvaluator(model).run(None, feeds))
