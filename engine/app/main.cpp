#include "app/stage.h"

int main(int argc, char** argv) { return ritzflow::run_stage(ritzflow::make_stage(), argc, argv); }
