// Every kernel over `Lanes`, which the including target file has defined in the same anonymous namespace.
#include "kernels/stream.inl"
#include "kernels/activation.inl"
#include "kernels/dense.inl"
#include "kernels/sparse.inl"
#include "kernels/scale.inl"
#include "kernels/contract.inl"
#include "kernels/ranking.inl"
#include "kernels/table.inl"
