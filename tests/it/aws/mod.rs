//! The real programs over AWS's parts on this machine, and the deployment.

mod alarms;
mod compose;
mod configuration;
mod end_to_end;
mod isolation;
mod kills;
mod lambda;
mod local_stack;
mod template;
mod throughput;
