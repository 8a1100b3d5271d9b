#include "krylov/ritz/ritz_pair.h"

namespace ritzflow::krylov {

std::string verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::converged:
      return "converged";
    case Verdict::unconverged:
      return "unconverged";
    case Verdict::ghost:
      return "ghost";
    case Verdict::spurious:
      return "spurious";
  }
  return "";
}

}  // namespace ritzflow::krylov
