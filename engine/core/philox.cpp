#include "core/philox.h"

#include <cmath>
#include <numbers>
#include <string>

#include "core/sha256.h"

namespace ritzflow {
namespace {

using Block = std::array<uint32_t, 4>;

// The third counter word keeps the blocks of `bits` apart from those of `normal`.
constexpr uint32_t bits_domain = 0, normal_domain = 1;

Block round_once(const Block& x, const std::array<uint32_t, 2>& key) {
  const uint64_t a = uint64_t{0xD2511F53} * x[0], b = uint64_t{0xCD9E8D57} * x[2];
  return {static_cast<uint32_t>(b >> 32) ^ x[1] ^ key[0], static_cast<uint32_t>(b),
          static_cast<uint32_t>(a >> 32) ^ x[3] ^ key[1], static_cast<uint32_t>(a)};
}

Block counter_block(uint64_t counter, uint32_t domain) {
  return {static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), domain, 0};
}

uint64_t join(uint32_t low, uint32_t high) { return uint64_t{high} << 32 | low; }

// 52 bits, not 53: k + 1/2 is then exact, and the largest value stays below 1.
double open_unit_interval(uint64_t bits) { return (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52; }

}  // namespace

Block philox4x32(Block counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    counter = round_once(counter, key);
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

Philox::Philox(uint64_t seed, std::string_view stage, std::string_view purpose) {
  // Zero bytes separate the parts, so that ("ab", "c") and ("a", "bc") name different streams.
  std::string text = std::to_string(seed);
  text.append(1, '\0').append(stage).append(1, '\0').append(purpose);
  const uint64_t head = std::stoull(sha256_hex(std::string_view(text)).substr(0, 16), nullptr, 16);
  key_ = {static_cast<uint32_t>(head >> 32), static_cast<uint32_t>(head)};
}

uint64_t Philox::bits(uint64_t counter) const {
  const Block x = philox4x32(counter_block(counter, bits_domain), key_);
  return join(x[0], x[1]);
}

double Philox::uniform(uint64_t i) const { return open_unit_interval(bits(i)); }

double Philox::normal(uint64_t i) const {
  const Block x = philox4x32(counter_block(i, normal_domain), key_);
  const double radius = std::sqrt(-2.0 * std::log(open_unit_interval(join(x[0], x[1]))));
  return radius * std::cos(2.0 * std::numbers::pi * open_unit_interval(join(x[2], x[3])));
}

void Philox::fill_normal(VectorSpan out) const {
  for (size_t i = 0; i < out.size(); ++i) out[i] = normal(i);
}

}  // namespace ritzflow
