#include "app/stage.h"

int main(int argc, char** argv) { return ritzflow::app::run_stage(ritzflow::make_stage(), argc, argv); }
