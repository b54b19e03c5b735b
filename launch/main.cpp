#include "launch/command_line.h"
#include "stages/kinds.h"

int main(int argc, char** argv) {
  return penstock::launch::run_command_line(argc, argv, penstock::stages::stage_table());
}
