#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "app/stage.h"
#include "krylov/process/operator_facts.h"
#include "spectrum/certify_run.h"
#include "spectrum/lanczos_file.h"
#include "spectrum/mode_choice.h"
#include "spectrum/timed_operator.h"

namespace ritzflow::spectrum {

/// What a run of Lanczos is asked for, and what is known before its mode is chosen.
struct LanczosTask {
  LanczosRecord record;                 ///< resolved settings, noise and digest of the operator
  krylov::OperatorFacts facts;          ///< of the operator's probes
  ModeContext context;                  ///< memory and disk that vectors may take
  CertificateSettings certificate;      ///< of the search for missed pairs
  std::vector<double> start;            ///< [n] unit start vector
  std::filesystem::path continue_from;  ///< lanczos.h5 whose run is extended; empty: none
  int64_t loaded_memory = 0;            ///< bytes of the process before its first product
  int64_t product_memory = 0;           ///< bytes of one product
};

/// A finished run: its record, the vectors that it holds, and how it was carried out.
struct LanczosRun {
  LanczosRecord record;
  krylov::LanczosProcess process;
  ModeChoice choice;
  std::vector<double> start;    ///< [n]
  int64_t expected_memory = 0;  ///< bytes at the peak, as logged beforehand; 0: unknown
};

/// Runs a task to its end: chooses the mode and where vectors lie, starts or resumes, iterates until the
/// wanted pairs have settled or the products are spent, looks for missed pairs (certify_run()), and logs how
/// it ended. With `segments` the state is kept there as it goes and read from there at the start; a signal
/// ends the run after the product in progress (stop_by_signal()). `op` must outlive the result.
LanczosRun run_task(TimedOperator& op, LanczosTask task, checkpoint::SegmentFolder* segments,
                    const app::StageRun& stage);

}  // namespace ritzflow::spectrum
