#include "settings/operator_settings.h"

namespace ritzflow {

KindSettings default_settings(OperatorKind kind) {
  switch (kind) {
    case OperatorKind::hessian:
      return HessianSettings{};
    case OperatorKind::ggn:
      return GgnSettings{};
    case OperatorKind::mc_fisher:
      return McFisherSettings{};
    case OperatorKind::empirical_fisher:
      return EmpiricalFisherSettings{};
    case OperatorKind::kfac:
    case OperatorKind::ekfac:
      return KroneckerSettings{};
    case OperatorKind::matrix:
      break;
  }
  return MatrixSettings{};
}

}  // namespace ritzflow
