// Faults in writing files, on purpose: calls that change files whose path contains a text are counted, and one of them
// goes wrong. A library to link to a test, or to put into LD_PRELOAD of a whole job; the program under test knows
// nothing of it.
//
// By environment, in every process that inherits it: FAULT_BELOW (text), FAULT_AT (number of the call, from 1),
// FAULT_DO.
#pragma once

// What happens at the call:
//   kill    SIGKILL instead of the call
//   half    half of what was to be written is written, then SIGKILL
//   short   half of what was to be written is written, as a system may do
//   ENOSPC  fails, and so do all later calls that need space
//   EIO     fails, once
//   hold    the process makes the file `held` in its working directory and waits in the call to be killed
// An `at` of 0 only counts; with `count` the process writes the number into the file `counted` in its working directory
// when it ends.
extern "C" void arm_fault(const char* below, int at, const char* what);
extern "C" int counted_calls();  // since arm_fault()
