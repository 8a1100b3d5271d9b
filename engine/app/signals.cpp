#include "app/signals.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

#include "app/stage.h"
#include "core/error.h"

namespace ritzflow::app {
namespace {

std::atomic<int> pending_signal{0};

extern "C" void on_signal(int signal) {
  if (pending_signal.exchange(signal) != 0) _exit(static_cast<int>(ExitCode::failure));
}

}  // namespace

void catch_signals() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaction(signal, &action, nullptr);
}

bool stop_requested() { return pending_signal.load() != 0; }

}  // namespace ritzflow::app
