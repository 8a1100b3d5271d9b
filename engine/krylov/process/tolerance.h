#pragma once

namespace ritzflow::krylov {

/// Relative error of a product for bounds that must hold: its noise, and four roundings of its arithmetic
/// with the distance `epsilon` from 1 to the next number: those that are the same for every vector (of
/// weights, of logits) show in no probe.
double product_error(double noise, double epsilon);

/// The method's own bound: a wanted pair is converged when its residual is at most this.
/// tol * max(|theta|, eps^(2/3) ||A||).
double residual_goal(double tol, double theta, double norm_a);

}  // namespace ritzflow::krylov
