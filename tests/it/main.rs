//! All integration tests in one binary, so that the stack is linked once. One module for each topic.

mod anvil;
mod architecture;
mod cache_commands;
mod conflicts;
mod conformance;
mod damage;
mod faults;
mod flat;
mod hostile;
mod insight;
mod interrupted;
mod main_job;
mod own_executor;
mod proofs;
mod reach;
mod replay_reports;
mod rpc_check;
mod sample;
mod schedules;
mod secrets;
mod simulation;
mod special_files;
mod streams;
mod support;
mod worlds;
mod wrong_use;
