#pragma once

namespace ritzflow::app {

/// SIGTERM, SIGINT and SIGUSR1 set stop_requested(); a second one ends the process at
/// once, with exit status 1.
void catch_signals();

}  // namespace ritzflow::app
