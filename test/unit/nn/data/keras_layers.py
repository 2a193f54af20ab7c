"""Writes keras_layers.json beside this file: KERAS_BACKEND=torch python keras_layers.py. Numbers are sin(0.7 i + offset) times 0.6."""
import json
import os

import keras
import numpy as np
from keras import layers, ops


def wave(shape, offset):
    return (0.6 * np.sin(0.7 * np.arange(int(np.prod(shape))) + offset)).reshape(shape).astype("float32")


def fill(layer):
    layer.set_weights([wave(w.shape, i + 1) for i, w in enumerate(layer.get_weights())])


def flat(x):
    return [round(float(v), 7) for v in np.asarray(ops.convert_to_numpy(x)).ravel()]


cases = []


def case(name, class_name, config, shapes, masks=None, training=False, calls=1, keep_weights=False, apart=False, spread=False, inputs=None):
    layer = getattr(layers, class_name)(**config) if not callable(config) else config()
    first = [wave(s, 10 + i) for i, s in enumerate(shapes)]
    call = lambda x: x if len(x) > 1 else x[0]
    if spread:
        layer.build(*[x.shape for x in first])
    else:
        layer.build([x.shape for x in first] if len(first) > 1 and not apart else first[0].shape)
    fill(layer)
    outputs = []
    for n in range(calls):
        x = [ops.convert_to_tensor(wave(s, 10 + i + 5 * n)) for i, s in enumerate(shapes)]
        if inputs is not None:
            x = [ops.convert_to_tensor(np.array(i, "float32")) for i in inputs]
        kwargs = {}
        if masks is not None:
            m = [None if k is None else ops.convert_to_tensor(np.array(k)) for k in masks]
            if spread:
                kwargs.update(query_mask=m[0], value_mask=m[1])
            else:
                kwargs["mask"] = m if len(m) > 1 else m[0]
        if training is not None:
            kwargs["training"] = training
        y = layer(x[0], x[1:], **kwargs) if apart else layer(*x, **kwargs) if spread else layer(call(x), **kwargs)
        outputs.append([flat(v) for v in keras.tree.flatten(y)])
    cases.append({"name": name, "layer": {"class_name": class_name, "config": layer.get_config()}, "shapes": shapes, "masks": masks, "training": bool(training), "inputs": inputs,
                  "outputs": outputs, "weights": [flat(w) for w in layer.get_weights()] if keep_weights else None})


case("conv_lstm_1d", "ConvLSTM1D", dict(filters=2, kernel_size=3, padding="same", return_sequences=True), [[2, 3, 4, 2]])
case("conv_lstm_2d", "ConvLSTM2D", dict(filters=2, kernel_size=(2, 3), strides=(2, 1), return_state=True), [[1, 3, 5, 4, 2]])
case("conv_lstm_2d_first", "ConvLSTM2D", dict(filters=3, kernel_size=2, data_format="channels_first", go_backwards=True, return_sequences=True), [[2, 2, 1, 4, 3]])
case("conv_lstm_2d_masked", "ConvLSTM2D", dict(filters=2, kernel_size=1, dilation_rate=1, recurrent_activation="hard_sigmoid"), [[2, 3, 2, 2, 1]], masks=[[[True, True, False], [True, False, True]]])
case("conv_lstm_3d", "ConvLSTM3D", dict(filters=1, kernel_size=2, use_bias=False), [[1, 2, 3, 3, 2, 1]])
case("attention", "Attention", dict(use_scale=True), [[2, 3, 4], [2, 5, 4]])
case("attention_concat", "Attention", dict(score_mode="concat", use_scale=True), [[2, 3, 4], [2, 5, 4], [2, 5, 4]])
case("attention_masked", "Attention", dict(), [[2, 3, 4], [2, 4, 4]], masks=[[[True, True, False], [True, True, True]], [[True, True, False, False], [True, True, True, False]]])
case("additive_attention", "AdditiveAttention", dict(), [[2, 3, 4], [2, 5, 4]])
for kind in ("Average", "Max"):
    case(f"adaptive_{kind}_1d".lower(), f"Adaptive{kind}Pooling1D", dict(output_size=3), [[2, 7, 2]])
    case(f"adaptive_{kind}_2d".lower(), f"Adaptive{kind}Pooling2D", dict(output_size=(2, 3)), [[1, 5, 7, 2]])
case("adaptive_average_3d", "AdaptiveAveragePooling3D", dict(output_size=2, data_format="channels_first"), [[1, 2, 3, 4, 5]])
case("batch_norm_masked", "BatchNormalization", dict(), [[3, 4, 2]], masks=[[[True, True, False, False], [True, True, True, True], [True, False, False, False]]], training=True, keep_weights=True)
case("stateful_lstm", "LSTM", dict(units=3, stateful=True, return_sequences=True), [[2, 3, 2]], calls=3)
case("stateful_gru", "GRU", dict(units=3, stateful=True), [[2, 3, 2]], calls=2)
case("stateful_rnn", "SimpleRNN", dict(units=3, stateful=True), [[2, 3, 2]], calls=2)


def spectral():
    return layers.SpectralNormalization(layers.Dense(3, name="inner"), power_iterations=2)


case("spectral_dense", "SpectralNormalization", spectral, [[2, 4]], training=True, calls=2, keep_weights=True)

steps = [[[True, True, False, True], [False, True, True, False]]]
case("lstm_cell", "LSTMCell", dict(units=3, dropout=0.2), [[2, 4], [2, 3], [2, 3]], training=None, apart=True)
case("gru_cell", "GRUCell", dict(units=3, reset_after=False, activation="relu"), [[2, 4], [2, 3]], training=None, apart=True)
case("rnn_lstm_cell", "RNN", lambda: layers.RNN(layers.LSTMCell(3, name="own"), return_sequences=True, return_state=True), [[2, 4, 2]], masks=steps)
case("rnn_simple_cell", "RNN", lambda: layers.RNN(layers.SimpleRNNCell(3), go_backwards=True, stateful=True), [[2, 3, 2]], calls=2)
case("rnn_stacked", "RNN", lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2), layers.SimpleRNNCell(4, use_bias=False)], return_state=True, zero_output_for_mask=True), [[2, 4, 2]], masks=steps)
case("bidirectional_rnn", "Bidirectional", lambda: layers.Bidirectional(layers.RNN(layers.StackedRNNCells([layers.GRUCell(3), layers.LSTMCell(2)]), return_sequences=True), name="both"), [[2, 4, 2]], masks=steps)

case("group_query", "GroupQueryAttention", dict(head_dim=3, num_query_heads=4, num_key_value_heads=2), [[2, 3, 4], [2, 5, 4]], training=None, spread=True)
case("group_query_gate", "GroupQueryAttention", dict(head_dim=2, num_query_heads=2, num_key_value_heads=1, use_gate=True, sliding_window=2, use_bias=False), [[2, 4, 4], [2, 4, 4]], training=None, spread=True)
case("group_query_masked", "GroupQueryAttention", dict(head_dim=2, num_query_heads=3, num_key_value_heads=3), [[1, 3, 4], [1, 4, 4]], training=None, spread=True,
     masks=[[[True, True, True]], [[True, True, False, True]]])
hidden = [[[True, True, False]] * 2, [[False] * 4, [True, False, False, True]]]
case("group_query_hidden", "GroupQueryAttention", dict(head_dim=2, num_query_heads=2, num_key_value_heads=1), [[2, 3, 4], [2, 4, 4]], training=None, spread=True, masks=hidden)
case("multi_head_hidden", "MultiHeadAttention", dict(num_heads=2, key_dim=3), [[2, 3, 4], [2, 4, 4]], training=None, spread=True, masks=[None, hidden[1]])
case("center_crop", "CenterCrop", dict(height=2, width=3), [[1, 5, 4, 2]], training=None)
case("center_crop_larger", "CenterCrop", dict(height=6, width=3, data_format="channels_first"), [[1, 2, 5, 4]], training=None)
for mode in ("int", "one_hot", "multi_hot", "count"):
    case(f"discretization_{mode}", "Discretization", dict(bin_boundaries=[-0.4, 0.0, 0.3], output_mode=mode), [[3, 4]], training=None)
for mode in ("one_hot", "multi_hot", "count"):
    case(f"category_{mode}", "CategoryEncoding", dict(num_tokens=4, output_mode=mode), [[3, 3]], training=None, inputs=[[[0, 1, 1], [3, 3, 3], [2, 0, 1]]])
case("category_column", "CategoryEncoding", dict(num_tokens=3, output_mode="one_hot"), [[3, 1]], training=None, inputs=[[[0], [2], [1]]])
case("dense_lora", "Dense", dict(units=3, lora_rank=2, lora_alpha=3, activation="tanh"), [[2, 4]], training=None)
case("embedding_lora", "Embedding", dict(input_dim=4, output_dim=3, lora_rank=1, mask_zero=True), [[2, 3]], training=None, inputs=[[[0, 1, 3], [2, 2, 1]]])

rgb = [[[[255.0, 0.0, 10.0], [12.0, 200.0, 13.0], [90.0, 80.0, 220.0]], [[30.0, 30.0, 30.0], [0.0, 0.0, 0.0], [255.0, 254.5, 3.25]]]]
for class_name, config in [
    ("RandomHue", dict(factor=(0, 0))), ("RandomSaturation", dict(factor=(0.7, 0.7))), ("RandomColorDegeneration", dict(factor=(0.3, 0.3))),
    ("RandomInvert", dict(factor=(1, 1))), ("RandomPosterization", dict(factor=(3, 3))), ("RandomGrayscale", dict(factor=1)),
    ("Solarization", dict(threshold_factor=(0, 0), addition_factor=(0, 0))), ("AutoContrast", dict()), ("RandomSharpness", dict(factor=(0.2, 0.2))),
]:
    case("color_" + class_name.lower(), class_name, config, [[1, 2, 3, 3]], training=True, inputs=[rgb])

bins = []
for number, epsilon, size in ((4, 0.01, 50), (3, 0.1, 37), (5, 0.2, 3)):
    layer = layers.Discretization(num_bins=number, epsilon=epsilon)
    layer.update_state(wave([size], 1))
    layer.update_state(wave([size // 2], 2))
    layer.finalize_state()
    bins.append({"numBins": number, "epsilon": epsilon, "sizes": [size, size // 2], "boundaries": layer.get_config()["bin_boundaries"]})

auc = []
for config in (dict(multi_label=True), dict(multi_label=True, num_labels=3, curve="PR", label_weights=[1.0, 2.0, 0.5]), dict(multi_label=True, num_thresholds=7, summation_method="minoring", from_logits=True),
               dict(label_weights=[1.0, 0.0, 2.0]), dict(multi_label=True, thresholds=[0.3, 0.6], curve="PR", summation_method="majoring")):
    metric = keras.metrics.AUC(**config)
    for k in range(2):
        pred = wave([5, 3], 3 + k) * np.float32(0.8) + np.float32(0 if config.get("from_logits") else 0.5)
        metric.update_state((wave([5, 3], 8 + k) > 0).astype("float32"), pred, sample_weight=np.array([1, 2, 1, 0.5, 1], "float32"))
    auc.append({"config": config, "value": float(metric.result())})

y = np.array([[1, 2, 0], [3, 3, 1]], "int32")
logits = wave([2, 6, 4], 3)
loss = flat(keras.losses.CTC(reduction=None)(y, logits))
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "keras_layers.json")
with open(path, "w") as f:
    json.dump({"keras": keras.__version__, "cases": cases, "ctc": loss, "bins": bins, "auc": auc}, f, separators=(",", ":"))
    f.write("\n")
