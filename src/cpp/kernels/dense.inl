// Dense layers at batch 1: which kernel a shape takes (docs/format.md, "Arithmetic 1").

template <unsigned P, class Stream>
RLCOMPRESS_ALWAYS_INLINE void dense_few_columns(const Stream& w, const DenseCall& c) {
  if constexpr (std::is_same_v<Stream, FloatStream> && NarrowLanes::width < width) {
    if (c.outputs <= few_columns) return dense_columns<P>(FloatStreamOf<NarrowLanes>{w.data}, c);
  }
  dense_columns<P>(w, c);
}

template <class Stream>
RLCOMPRESS_ALWAYS_INLINE void dense(const Stream& w, const DenseCall& c) {
  constexpr unsigned rows = 8 * static_cast<unsigned>(width) / 16;
  const unsigned partial = partial_sums(c.inputs, c.outputs);
  if (partial == 16) return dense_rows<(rows > 8 ? 8 : rows > 1 ? rows : 1)>(w, c, 0);
  switch (partial) {
    case 4: return dense_few_columns<4>(w, c);
    case 2: return dense_without_zeros<2>(w, c) ? void() : dense_few_columns<2>(w, c);
    default: break;
  }
  if (dense_without_zeros<1>(w, c)) return;
  if constexpr (std::is_same_v<Stream, FloatStream>) {
    if (is_wide(c)) return dense_wide(w, c);
  }
  dense_columns<1>(w, c);
}

void dense_f32(const DenseCall& c) noexcept { dense(stream_f32(c.weights), c); }

// Layers of float32 weights one after the other, without a call in between.
void dense_chain_f32(const DenseChainCall& c) noexcept {
  const float* x = c.x;
  float* y = c.y[0];
  float* next = c.y[1];
  const detail::Layer* const last = c.layers + c.count - 1;
  for (const detail::Layer* layer = c.layers; layer <= last; ++layer) {
    const bool action = NarrowLanes::stores_few && layer == last && c.action != nullptr;
    if (action) y = c.action;
    const bool relu = static_cast<Activation>(layer->activation) == Activation::relu;
    const DenseCall call{layer->weights,
                         0,
                         x,
                         reinterpret_cast<const float*>(layer->bias),
                         y,
                         layer->inputs,
                         layer->outputs,
                         layer->stride,
                         relu,
                         action,
                         relu};
    dense(stream_f32(layer->weights), call);
    x = y;
    std::swap(y, next);
  }
  if (c.action != nullptr && x != c.action) run_few_raw(x, last->outputs, c.action);
}

void dense_i8(const DenseCall& c) noexcept { dense(stream_i8(c.weights), c); }
void dense_i4(const DenseCall& c) noexcept { dense(stream_i4(c.weights), c); }
