// Everything public.
#pragma once

#include <rlcompress/matmul.hpp>
#include <rlcompress/model.hpp>
#include <rlcompress/ranking.hpp>
#include <rlcompress/status.hpp>
#include <rlcompress/target.hpp>
#include <rlcompress/training.hpp>
#include <rlcompress/version.hpp>
#include <rlcompress/view.hpp>
#include <rlcompress/weight_statistics.hpp>
