// Mutated artifacts of every format through the reader and `validate`, in process: a clear error or an
// unharmed result, no crash, no hang, no more memory than the file justifies. RITZFLOW_MUTATIONS sets how
// many.
#include <sys/resource.h>

#include <cstdlib>
#include <random>

#include "artifact/validate.h"
#include "example.h"
#include "fixture.h"

namespace ritzflow::artifact {
namespace {

std::size_t mutations() {
  const char* wish = std::getenv("RITZFLOW_MUTATIONS");
  return wish != nullptr ? std::stoul(wish) : 10000;
}

std::int64_t peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/// One of: flipped bits, a cut, zeros, random bytes, a piece copied over another, a piece left out.
std::string mutated(std::string bytes, std::mt19937& random) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  const std::size_t at = below(bytes.size()),
                    length = 1 + below(std::min<std::size_t>(64, bytes.size() - at));
  switch (below(6)) {
    case 0:
      for (std::size_t i = 0; i <= below(4); ++i)
        bytes[below(bytes.size())] ^= static_cast<char>(1 << below(8));
      break;
    case 1:
      bytes.resize(at);
      break;
    case 2:
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), length, '\0');
      break;
    case 3:
      for (std::size_t i = at; i < at + length; ++i) bytes[i] = static_cast<char>(random());
      break;
    case 4:
      bytes.replace(at, length, bytes.substr(below(bytes.size() - length), length));
      break;
    default:
      bytes.erase(at, length);
  }
  return bytes;
}

/// Reads all that the schema names; where that works, the contents are those of the file as it was written.
void expect_refused_or_unharmed(const std::filesystem::path& path, const Schema& schema,
                                const std::string& digest, std::size_t i) {
  try {
    const ArtifactReader reader(path, schema.format);
    if (reader.verified()) {
      ASSERT_EQ(reader.compute_content_sha256(), digest) << schema.format << " mutation " << i;
    }
  } catch (const InputError& error) {
    ASSERT_TRUE(std::string(error.what()).starts_with(path.string() + ": ")) << error.what();
  }
}

class Mutation : public ArtifactTest, public testing::WithParamInterface<Schema> {};

TEST_P(Mutation, IsRefusedOrHarmless) {
  const Schema& schema = GetParam();
  const std::string digest = write_example(file("good.h5"), schema);
  const std::string sealed = bytes_of(file("good.h5"));
  const std::string unsealed = std::string(sealed).replace(0, 512, std::string(512, '\0'));
  std::mt19937 random(static_cast<unsigned>(std::hash<std::string>{}(schema.format)));
  const std::int64_t before = peak_kib();
  for (std::size_t i = 0; i < mutations() / schemas().size() + 1; ++i) {
    // Without a user block each file is read in a child process first, which takes 20 times as long.
    put_bytes(file("bad.h5"), mutated(i % 25 == 0 ? unsealed : sealed, random));
    expect_refused_or_unharmed(file("bad.h5"), schema, digest, i);
    if (i % 50 == 0) check_file(file("bad.h5"));
    if (HasFatalFailure()) return;
  }
  EXPECT_LT(peak_kib() - before, 64 * 1024);
}

INSTANTIATE_TEST_SUITE_P(EveryFormat, Mutation, testing::ValuesIn(schemas()), [](const auto& schema) {
  std::string name = schema.param.format.substr(schema.param.format.find('-') + 1);
  return name;
});

}  // namespace
}  // namespace ritzflow::artifact
