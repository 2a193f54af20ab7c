/**
 * Composites of this folder, for backends that bring kernels of these names. Every one has a body of primitives, which says exactly what
 * is meant; the table says what a kernel has to know. Optional operands stand in the order shown and are there when the attribute named
 * after the `?` holds. Halves compute in f32 unless said otherwise.
 *
 * | name                       | attributes                                            | inputs                                                     | outputs |
 * |----------------------------|-------------------------------------------------------|------------------------------------------------------------|---------|
 * | layer_norm                 | axes, epsilon, weight, bias                           | x, gamma ?weight, beta ?bias (shape: the axes of x)        | y |
 * | layer_norm_grad            | as layer_norm                                         | ct, x, gamma ?weight                                       | dx, dgamma ?weight, dbeta ?bias |
 * | rms_norm                   | axes, epsilon, weight, bias (false)                   | x, gamma ?weight                                           | y |
 * | rms_norm_grad              | as rms_norm                                           | ct, x, gamma ?weight                                       | dx, dgamma ?weight |
 * | group_norm                 | groups, feature (dimension), epsilon, weight, bias    | x, gamma [C] ?weight, beta [C] ?bias                       | y |
 * | batch_norm_train           | feature (dimension), epsilon, weight, bias            | x, gamma [C] ?weight, beta [C] ?bias                       | y, mean [C], biased variance [C] (f32, or f64 of f64) |
 * | batch_norm_grad            | as batch_norm_train                                   | ct, x, mean, variance, gamma ?weight                       | dx, dgamma ?weight, dbeta ?bias |
 * | binary_cross_entropy       | -                                                     | p, target (one shape)                                      | losses |
 * | softmax_cross_entropy      | ignore_index, label_smoothing, weight                 | logits [R, C], labels i32 [R], class weights [C] ?weight   | losses [R] |
 * | softmax_cross_entropy_grad | as softmax_cross_entropy                              | ct [R], then those of the loss                             | dlogits |
 * | linear_cross_entropy       | ignore_index, bias                                    | hidden [R, D], weight [C, D], labels i32 [R], bias [C] ?bias | losses [R] |
 * | linear_cross_entropy_grad  | as linear_cross_entropy                               | ct [R], then those of the loss                             | losses [R], dhidden, dweight, dbias ?bias |
 * | ctc_loss                   | blank                                                 | log-probabilities [T, N, C], labels i32 [N, S], steps i32 [N], label counts i32 [N] | losses [N] |
 * | ctc_loss_grad              | blank                                                 | ct [N], then those of the loss                             | dlogprobs |
 * | sdpa                       | scale, causal, mask (none, bool, additive), key_lengths, query_starts, keep, keep_scale | q [B, H, T, D], k [B, K, S, D], v [B, K, S, E], mask ?mask (rank 4, extents 1 or full), lengths i32 [B] ?key_lengths, starts i32 [B] ?query_starts, keep bool [B, H, T, S] ?keep | y [B, H, T, E], log totals [B, H, T] (+inf in rows that see nothing) |
 * | sdpa_grad                  | as sdpa, mask_grad                                    | ct, log totals, delta [B, H, T], then those of sdpa        | dq, dk, dv, dmask ?mask_grad |
 * | rope                       | interleaved                                           | x [..., D], cos, sin [..., d / 2] (broadcast to x)         | y |
 * | linear_int8                | bias                                                  | x f32 [..., K], weight i8 [N, K], scales f32 [N], bias f32 [N] ?bias | y f32 [..., N] |
 * | lstm                       | reverse, mask                                         | projected [T, N, 4H], weight [4H, H], h0, c0 [N, H], mask bool [T, N] ?mask | hidden, cells [T, N, H], gates [T, N, 4H] |
 * | lstm_grad                  | as lstm, dgates                                       | dhidden, dcells, cells, gates, weight, c0, mask ?mask, dgates ?dgates | dprojected, dh0, dc0 |
 * | gru                        | reverse, mask                                         | projected [T, N, 3H], weight [3H, H], bias [3H], h0 [N, H], mask bool [T, N] ?mask | hidden [T, N, H], gates [T, N, 3H], recurrent [T, N, H] |
 * | gru_grad                   | as gru, dgates                                        | dhidden, hidden, gates, recurrent, weight, h0, mask ?mask, dgates, drecurrent ?dgates | dprojected, drecurrent, dh0 |
 * | rnn                        | reverse, mask, relu (else tanh)                       | projected [T, N, H], weight [H, H], h0 [N, H], mask bool [T, N] ?mask | hidden [T, N, H] |
 * | rnn_grad                   | as rnn                                                | dhidden, hidden, weight, mask ?mask                        | dprojected, dh0 |
 *
 * - Labels equal to ignore_index count for nothing; any other label outside the classes is an error (the body's gather raises it).
 * - `delta` is the sum over E of ct * y, less the cotangent of the log totals.
 * - Where `keep` is false a weight of attention is dropped; the others are multiplied by keep_scale.
 * - Gates: LSTM input, forget, cell, output; GRU reset, update, new, with the reset gate after the product (`recurrent` is what it scales). Where
 *   the mask is false a state stays as it was. `projected` holds x . W_ih^T and all biases but GRU's recurrent one. They compute in the dtype of
 *   x. Weight gradients are one product over all steps, outside of the composite; `dgates` is there in gradients of gradients alone.
 * - Gradients of convolutions (`conv_input_grad`, `conv_weight_grad`) and of window maxima (`max_pool_grad`) are stated in autodiff.
 */
export const FUNCTIONAL_COMPOSITES = [
  'layer_norm',
  'layer_norm_grad',
  'rms_norm',
  'rms_norm_grad',
  'group_norm',
  'batch_norm_train',
  'batch_norm_grad',
  'binary_cross_entropy',
  'softmax_cross_entropy',
  'softmax_cross_entropy_grad',
  'linear_cross_entropy',
  'linear_cross_entropy_grad',
  'ctc_loss',
  'ctc_loss_grad',
  'sdpa',
  'sdpa_grad',
  'rope',
  'linear_int8',
  'lstm',
  'lstm_grad',
  'gru',
  'gru_grad',
  'rnn',
  'rnn_grad',
] as const
